import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { CompileJobs } from "../../../extproc/compile/job.ts";
import { startCompiler } from "../../../extproc/compile-thread/compiler.ts";
import { loadSnapshot } from "../../../extproc/compiled/snapshot.ts";
import { ask, compileText, documents, policy, snapshotOf, tenant, upstream } from "./compile-text.ts";

const deny = { name: "deny", match: { names: ["*.com"] }, action: "Deny" };
const SET = documents(
  upstream("u"),
  tenant("t", { match: [{ cidrs: ["10.0.0.0/8"] }], upstream: "u" }),
  policy("p", 1, ["t"], [deny]),
);

describe("compiling", () => {
  it("hashes what a set says, not how it is written", () => {
    const { hash } = compileText(SET).policy.tables;
    assert.match(hash, /^[0-9a-f]{16}$/);
    const [a = "", b = "", c = ""] = SET.split(/(?=^---)/m);
    assert.equal(compileText(`# other\n${c}${b.replace("10.0.0.0/8", "10.0.0.0/8")}${a}`).policy.tables.hash, hash);
    assert.equal(compileText(SET.replace("*.com", "**.COM.")).policy.tables.hash, hash);
    assert.notEqual(compileText(SET.replace("*.com", "*.org")).policy.tables.hash, hash);
  });

  it("tells workers of upstreams, and Envoy of one cluster for each server", () => {
    const servers = [
      { address: "192.0.2.1", serverName: "dns.example" },
      { address: "2001:db8::1", port: 8443, serverName: "dns.example", path: "/q" },
    ];
    const { revision, clusters } = snapshotOf(
      documents(upstream("b", { protocol: "DoH", servers }), upstream("a", { ecs: true })),
      3,
    );
    assert.equal(revision.sequence, 3);
    assert.match(revision.hash, /^\d+$/);
    assert.deepEqual(
      revision.upstreams.map(({ id, name, protocol, ecs }) => [id, name, protocol, ecs]),
      [
        [1, "a", 0, true],
        [2, "b", 2, false],
      ],
    );
    const messages = revision.upstreams[1]?.servers.map(({ cluster: _, ...rest }) => rest);
    assert.deepEqual(messages, [
      { name: "192.0.2.1:443", authority: "dns.example", path: "/dns-query", priority: 0 },
      { name: "[2001:db8::1]:8443", authority: "dns.example:8443", path: "/q", priority: 0 },
    ]);
    assert.deepEqual(
      revision.upstreams.flatMap((one) => one.servers.map(({ cluster }) => cluster)),
      clusters.map(({ name }) => name),
    );
    for (const { name } of clusters) assert.match(name, /^up\/[ab]\/[0-9a-f]{12}$/);
  });

  it("names a changed server's cluster anew, and only that one", () => {
    const names = (second: object) =>
      snapshotOf(
        documents(upstream("u", { servers: [{ address: "192.0.2.1", serverName: "a" }, second] })),
      ).clusters.map(({ name }) => name);
    const before = names({ address: "192.0.2.2", serverName: "a" });
    for (const second of [
      { address: "192.0.2.3", serverName: "a" },
      { address: "192.0.2.2", serverName: "b" },
      { address: "192.0.2.2", serverName: "a", port: 8853 },
    ]) {
      const after = names(second);
      assert.equal(after[0], before[0]);
      assert.notEqual(after[1], before[1]);
    }
  });

  it("keeps views across revisions while what shapes the answers stays", () => {
    const view = (text: string) => {
      const verdict = ask(snapshotOf(text), { from: "10.0.0.1", name: "a.org" });
      return "forward" in verdict ? verdict.forward.view : "";
    };
    assert.equal(view(SET.replace("*.com", "*.net")), view(SET));
    assert.notEqual(view(SET.replace("192.0.2.53", "192.0.2.54")), view(SET));
  });
});

describe("changes to a set", () => {
  const jobs = new CompileJobs();
  const base = jobs.run([], { upsert: [{ name: "a", text: SET }] });
  const text = base.ok ? base.text : new Uint8Array();
  const keys = (change: Parameters<CompileJobs["run"]>[1]) => {
    const result = jobs.run([{ name: "state", text }], change);
    assert.ok(result.ok, JSON.stringify(result));
    return result.changes.map(({ kind, name, change: what }) => `${what} ${kind}/${name}`);
  };

  it("creates, replaces, leaves and deletes", () => {
    assert.deepEqual(keys({ upsert: [{ name: "b", text: documents(upstream("v"), upstream("u")) }] }), [
      "unchanged Upstream/u",
      "created Upstream/v",
    ]);
    assert.deepEqual(keys({ upsert: [{ name: "b", text: documents(upstream("u", { ecs: true })) }] }), [
      "updated Upstream/u",
    ]);
    assert.deepEqual(
      keys({
        delete: [
          { kind: "DnsPolicy", name: "p" },
          { kind: "Tenant", name: "x" },
        ],
      }),
      ["deleted DnsPolicy/p", "absent Tenant/x"],
    );
    assert.deepEqual(keys({ upsert: [{ name: "b", text: documents(upstream("u")) }], prune: true }), [
      "unchanged Upstream/u",
      "deleted DnsPolicy/p",
      "deleted Tenant/t",
    ]);
  });

  it("refuses a change that leaves a hole, and says in whose words", () => {
    const result = jobs.run([{ name: "state", text }], { delete: [{ kind: "Upstream", name: "u" }] });
    assert.deepEqual(result.ok ? [] : result.problems.map(({ source, path }) => [source, path]), [
      ["stored Tenant/t", "spec.upstream"],
    ]);
  });

  it("lists a set so that it reads back the same", () => {
    const again = new CompileJobs().run([{ name: "state", text }], undefined);
    assert.ok(again.ok && base.ok);
    assert.deepEqual(Buffer.from(again.text).toString(), Buffer.from(text).toString());
    assert.equal(again.policy.tables.hash, base.policy.tables.hash);
  });
});

describe("the compiling thread", function () {
  this.timeout(60_000);
  const compiler = startCompiler();
  after(() => compiler.close());

  it("compiles what the caller would have", async () => {
    const result = await compiler.compile([{ name: "x", text: SET }]);
    assert.ok(result.ok);
    assert.deepEqual(
      ask(loadSnapshot(result.policy, 1), { from: "10.0.0.1" }),
      ask(snapshotOf(SET), { from: "10.0.0.1" }),
    );
    const refused = await compiler.compile([{ name: "x", text: "a" }]);
    assert.ok(!refused.ok && refused.problems.length === 1);
  });

  it("survives a thread that dies, and closes", async () => {
    const fragile = startCompiler({ workerUrl: new URL("data:text/javascript,process.exit(3)") });
    await assert.rejects(fragile.compile([]), /ended with code 3/);
    await assert.rejects(fragile.compile([]), /ended with code 3/);
    await fragile.close();
    await assert.rejects(fragile.compile([]), /closed/);
  });

  it("loads a large set within a millisecond", async () => {
    const names = (seed: number) => Array.from({ length: 100 }, (_, index) => `*.n${seed * 100 + index}.example`);
    const many = Array.from({ length: 200 }, (_, index) =>
      policy(`p${index}`, index, ["t"], [{ ...deny, match: { names: names(index) } }]),
    );
    const result = await compiler.compile([
      {
        name: "x",
        text: `${documents(upstream("u"), tenant("t", { upstream: "u", match: [{ cidrs: ["10.0.0.0/8"] }] }))}${documents(...many)}`,
      },
    ]);
    assert.ok(result.ok);
    const times = Array.from({ length: 20 }, () => {
      const start = performance.now();
      loadSnapshot(result.policy, 1);
      return performance.now() - start;
    }).sort((a, b) => a - b);
    assert.ok((times[10] ?? 9) < 1, `median ${times[10]} ms`);
    const verdict = ask(loadSnapshot(result.policy, 1), { from: "10.0.0.1", name: "a.n19999.example" });
    assert.equal(verdict.policy, "p199");
  });
});
