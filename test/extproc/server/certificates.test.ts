/**
 * Until when the certificates of upstream servers are valid: looked at now and again, and told of.
 */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { createServer } from "node:tls";
import { Authority } from "../../../demo/certificates.ts";
import { type ClusterDefinition, Protocol } from "../../../extproc/compiled/messages.ts";
import { askCertificate } from "../../../extproc/server/certificates/ask-certificate.ts";
import { UpstreamCertificates } from "../../../extproc/server/certificates/upstream-certificates.ts";
import { FakeClock } from "./fake-clock.ts";

const HOUR = 3_600_000;

function serverOf(name: string, changes: Partial<ClusterDefinition> = {}): ClusterDefinition {
  const tls = {
    serverName: "dns.example",
    ca: "",
    pins: [],
    clientCertificate: undefined,
    minimumVersion: "1.2",
  } as const;
  return { name: `up/${name}/0`, protocol: Protocol.DOT, address: "192.0.2.1", port: 853, ...tls, ...changes };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("certificates of upstream servers", () => {
  let clock: FakeClock;
  let asked: string[];
  let failure: Error | undefined;
  const watch = (isAskedFor = true) =>
    new UpstreamCertificates({
      clock,
      everyMs: isAskedFor ? HOUR : undefined,
      ask: async ({ name }) => {
        asked.push(name);
        if (failure !== undefined) throw failure;
        return clock.now() + 30 * 24 * HOUR;
      },
    });
  beforeEach(() => {
    clock = new FakeClock();
    asked = [];
    failure = undefined;
  });

  it("are looked at at once and again, as long as the policy names them", async () => {
    const certificates = watch();
    certificates.follow([
      serverOf("one"),
      serverOf("two", { protocol: Protocol.DOH }),
      serverOf("plain", { protocol: Protocol.TCP }),
    ]);
    await settled();
    assert.deepEqual(asked.splice(0), ["up/one/0", "up/two/0"]);
    const validUntil = clock.now() + 30 * 24 * HOUR;
    assert.deepEqual(
      certificates.list().map(({ upstream, certificate }) => [upstream, certificate]),
      [
        ["one", { validUntil, error: "" }],
        ["two", { validUntil, error: "" }],
        ["plain", undefined],
      ],
    );
    certificates.follow([serverOf("two", { protocol: Protocol.DOH })]);
    clock.advance(HOUR);
    await settled();
    assert.deepEqual(asked.splice(0), ["up/two/0"]);
    certificates.close();
    assert.equal(clock.isDue(2 * HOUR), false);
  });

  it("stay known when a server is away, which is asked again after a minute", async () => {
    const certificates = watch();
    certificates.follow([serverOf("one")]);
    await settled();
    const [{ certificate } = assert.fail()] = certificates.list();
    failure = new Error("connect ECONNREFUSED");
    clock.advance(HOUR);
    await settled();
    assert.deepEqual(certificates.list()[0]?.certificate, { ...certificate, error: "connect ECONNREFUSED" });
    failure = undefined;
    asked = [];
    clock.advance(60_000);
    await settled();
    assert.deepEqual([asked, certificates.list()[0]?.certificate?.error], [["up/one/0"], ""]);
    certificates.close();
  });

  it("are nobody's business where nobody has asked for it", async () => {
    const certificates = watch(false);
    certificates.follow([serverOf("one")]);
    await settled();
    assert.deepEqual([asked, certificates.list()[0]?.certificate], [[], undefined]);
  });

  it("are what a server shows, whoever has signed them", async () => {
    const authority = await Authority.create("an authority");
    const { certificate, key } = await authority.server({ names: ["dns.example"], addresses: ["127.0.0.1"] });
    const names: string[] = [];
    const server = createServer({
      cert: certificate,
      key,
      ALPNProtocols: ["dot"],
      SNICallback: (name, done) => {
        names.push(name);
        done(null);
      },
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    try {
      const at = serverOf("one", { address: "127.0.0.1", port: address.port });
      const until = await askCertificate(at, new AbortController().signal);
      assert.equal(until, Date.parse(new X509Certificate(certificate).validTo));
      assert.deepEqual(names, ["dns.example"]);
    } finally {
      server.close();
    }
    await assert.rejects(
      askCertificate(serverOf("one", { address: "127.0.0.1", port: address.port }), new AbortController().signal),
      /ECONNREFUSED/,
    );
  });
});
