import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { run } from "../../../extproc/cli/program.ts";
import { ServerEvents } from "../../../extproc/cli/server-events.ts";
import { formatEndpoint } from "../../../extproc/endpoint.ts";
import { LocalTelemetry } from "../../../extproc/telemetry/local-telemetry.ts";
import { QueryStore } from "../../../extproc/telemetry/query-store.ts";
import { FakeClock } from "../server/fake-clock.ts";
import { Harness } from "../server/harness.ts";
import { batchOf, comparisonsOf, eventOf } from "../telemetry/events.ts";
import { runCommand } from "./run-command.ts";

describe("commands about queries", () => {
  let harness: Harness;
  let telemetry: LocalTelemetry;
  let server: string;
  beforeEach(async () => {
    const store = await QueryStore.open({ path: ":memory:", keepMs: 1e12, maxBytes: 1e12 });
    telemetry = new LocalTelemetry({ now: () => 1_700_000_000_000, store });
    harness = await Harness.start({ telemetry });
    const endpoint = harness.service.admin[0];
    assert.ok(endpoint);
    server = formatEndpoint(endpoint);
    const other = {
      tenant: "backend",
      outcome: 0,
      policy: "",
      rule: "",
      rcode: 0,
      ede: 0,
      upstream: "public",
      upstream_us: 500,
    } as const;
    telemetry.take(
      batchOf(eventOf(), eventOf({ ...other, time_us: 1_700_000_001_000_000, cache: 2 })),
      "east",
      () => {},
    );
  });
  afterEach(() => harness.stop());
  const dnspolicy = (...args: string[]) => runCommand([...args, "--server", server]);

  it("logs tells past queries, oldest first, without colours where nobody sees them", async () => {
    const { code, stdout } = await dnspolicy("logs");
    assert.equal(code, 0);
    const [first, second] = stdout.split("\n");
    assert.match(
      first ?? "",
      /^2023-11-14T22:13:20\.123 {2}frontend .*www\.example\.com\. AAAA {2}denied {2}NXDOMAIN {2}no-com\/deny-com/,
    );
    assert.match(second ?? "", /backend.*forwarded/);
    assert.ok(!stdout.includes("\x1b"));
    const json = await dnspolicy("logs", "--tenant", "backend", "-o", "json");
    assert.equal(JSON.parse(json.stdout).tenant, "backend");
    assert.equal((await dnspolicy("logs", "--name", "*.org")).stdout, "");
    assert.equal((await dnspolicy("logs", "--client", "nowhere")).code, 1);
    assert.equal((await dnspolicy("logs", "--verdict", "nonsense")).code, 2);
  });

  it("logs -f tells queries as they come, in colour on a terminal", async () => {
    const stdout = Object.assign(new PassThrough(), { isTTY: true });
    const done = run({
      arguments: ["logs", "-f", "-n", "2", "--tenant", "frontend", "--server", server],
      userName: "tester",
      environment: {},
      clock: new FakeClock(),
      stdout,
      stderr: new PassThrough(),
      readStdin: async () => Buffer.alloc(0),
      onStop: () => {},
      onReopen: () => {},
    });
    const pushing = setInterval(
      () => telemetry.take(batchOf(eventOf(), eventOf({ tenant: "backend" })), "east", () => {}),
      20,
    );
    const [text] = await once(stdout, "data");
    assert.equal(await done, 0);
    clearInterval(pushing);
    assert.ok(`${text}`.includes("\x1b[31mdenied\x1b[0m"), `${text}`);
  });

  it("top and stats print tables, or what the service says", async () => {
    const top = await dnspolicy("top", "--kind", "denied", "--window", "1m");
    assert.equal(top.stdout, "QUERIES  DENIED\n1        www.example.com.\n");
    const stats = await dnspolicy("stats");
    assert.match(stats.stdout, /^all +2 .*\nfrontend +1 .*\nbackend +1 /m);
    assert.match(stats.stdout, /^public +1 +100\.0 % +0 +0\.[45]/m);
    assert.doesNotMatch(stats.stdout, /CONNECTIONS|ASKED TOO/);
    const second = { tenant: "frontend", upstream: "candidate", qname: Buffer.from("\x01a\x04test\0"), qtype: 1 };
    const results = [0, 0, 1].map((result) => ({ ...second, result: result as 0 | 1, rcode: 3 * result }));
    telemetry.take(comparisonsOf(...results), "east", () => {});
    const compared = await dnspolicy("stats");
    assert.match(compared.stdout, /^ASKED TOO .*\ncandidate +frontend +2 +1 +0 /m);
    assert.match(compared.stdout, /^a\.test\. +A +candidate +NXDOMAIN +NOERROR +1$/m);
    const connection = { tenant: "frontend", name: "www.example.com.", address: "192.0.2.1", port: 443 };
    for (const outcome of ["allowed", "failed", "refused"] as const) telemetry.connection({ ...connection, outcome });
    const more = await dnspolicy("stats");
    assert.match(more.stdout, /^CONNECTIONS OF .*\nfrontend +1 +1 +0 +0 +1 *$/m);
    assert.match(more.stdout, /^www\.example\.com\. +192\.0\.2\.1:443 +1$/m);
    assert.match(more.stdout, /^192\.0\.2\.1:443 +frontend +1$/m);
    const { all, upstreams } = JSON.parse((await dnspolicy("stats", "-o", "json", "--tenant", "backend")).stdout);
    assert.deepEqual([all.queries, upstreams[0].upstream], [1, "public"]);
  });

  it("reads server-sent events in pieces of any size", () => {
    const text = ": hello\n\nevent: query\ndata: {}\n\n:\n\ndata: a\ndata: b\n\nevent: cut";
    for (const size of [1, 2, 7, text.length]) {
      const seen: string[] = [];
      const events = new ServerEvents((event, data) => seen.push(`${event} ${data}`));
      for (let at = 0; at < text.length; at += size) events.push(text.slice(at, at + size));
      assert.deepEqual(seen, ["query {}", "message a\nb"]);
    }
  });
});
