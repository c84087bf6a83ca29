import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { parseAllDocuments } from "yaml";
import { demoPolicy } from "../../demo/demo.ts";
import { defaultPorts, expectFree } from "../../demo/ports.ts";

const example = readFileSync(new URL("../../examples/demo.yaml", import.meta.url), "utf8");

describe("The demo's resources", () => {
  const servers = (text: string): unknown[] =>
    parseAllDocuments(text)
      .map((document) => document.toJS() as { kind: string; spec: { servers: { port: number }[] } })
      .filter(({ kind }) => kind === "Upstream")
      .flatMap(({ spec }) => spec.servers.map(({ port }) => port));

  it("have upstream servers where the flags put them", () => {
    assert.deepEqual(servers(demoPolicy(example, defaultPorts)), [8853, 8443]);
    assert.deepEqual(servers(demoPolicy(example, { ...defaultPorts, "upstream-dot": 1, "upstream-doh": 2 })), [1, 2]);
  });

  it("are otherwise as they are in examples/demo.yaml", () => {
    const values = (text: string): unknown[] => parseAllDocuments(text).map((document) => document.toJS());
    assert.deepEqual(values(demoPolicy(example, defaultPorts)), values(example));
  });
});

describe("A taken port", () => {
  it("is one clear line with the flag to change it", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const taken = (server.address() as AddressInfo).port;
    const free = {
      udp: 0,
      tcp: 0,
      dot: 0,
      doh: 0,
      admin: 0,
      api: 0,
      "upstream-dot": 0,
      "upstream-doh": 0,
      "upstream-tcp": 0,
    };
    await expectFree(free);
    await assert.rejects(
      expectFree({ ...free, dot: taken }),
      new RegExp(`^Error: port ${taken}/tcp is taken: choose another with --dot$`),
    );
    server.close();
  });
});
