import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { runCommand } from "./run-command.ts";

const TENANTS = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: { name: a }
spec: { match: [{ cidrs: ["10.0.0.0/16"] }], upstream: one }
---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: { name: b }
spec: { match: [{ cidrs: ["10.1.0.0/16"] }, { principals: ["spiffe://d/ns/b/*"] }], upstream: one }
---
apiVersion: dns.mesh/v1alpha1
kind: Upstream
metadata: { name: one }
spec: { protocol: TCP, servers: [{ address: 192.0.2.1 }] }
---
apiVersion: dns.mesh/v1alpha1
kind: Upstream
metadata: { name: two }
spec: { protocol: TCP, servers: [{ address: 192.0.2.2 }] }
`;
const policy = (...rules: string[]) => `${TENANTS}---
apiVersion: dns.mesh/v1alpha1
kind: ClusterDnsPolicy
metadata: { name: p }
spec:
  tier: Admin
  priority: 1
  subject: {}
  rules:
${rules.map((rule) => `    - {${rule}}\n`).join("")}`;

const OLD = policy('name: com, match: {names: ["*.com"]}, action: Deny');

const line = (changes: object = {}) =>
  `${JSON.stringify({
    time: "2026-11-24T12:00:00.000123Z",
    tenant: "a",
    client: "10.0.0.1",
    transport: "udp",
    qname: "www.x.org.",
    qtype: "A",
    outcome: "forwarded",
    rcode: "NOERROR",
    latency_us: 10,
    revision: 1,
    upstream: "one",
    ...changes,
  })}\n`;
const denied = { outcome: "denied", policy: "p", rule: "com", rcode: "NXDOMAIN", upstream: undefined };

describe("dnspolicy replay", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "dnspolicy-test-"));
    await writeFile(join(folder, "old.yaml"), OLD);
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function replay(candidate: string, lines: string, ...args: string[]) {
    await writeFile(join(folder, "new.yaml"), candidate);
    return runCommand(["replay", "-", "--against", join(folder, "new.yaml"), ...args], { stdin: lines });
  }
  const becomes = async (candidate: string, changes: object, ...args: string[]) => {
    const { code, stdout } = await replay(candidate, line(changes), ...args);
    const [, row = ""] = stdout.split("\n");
    const [, , , , was = "", now = ""] = row.split(/ {2,}/);
    return `${code} ${stdout.includes("\n\n") ? `${was} -> ${now}` : "same"}`;
  };

  it("says what would end otherwise, by tenant and name", async () => {
    const lines = [
      line(),
      line({ qname: "WWW.x.org." }),
      line({ qname: "www.y.com.", ...denied }),
      line({ tenant: "b", client: "10.1.0.1" }),
      line({ qname: "z.net." }),
      line({ outcome: "rejected", qtype: "ANY" }),
    ];
    // What a second upstream has said is no query.
    lines.push(line({ outcome: undefined, client: undefined, mirror: "different" }));
    const candidate = policy('name: org, match: {names: ["*.org"]}, action: Deny, response: {code: REFUSED}');
    const { code, stdout, stderr } = await replay(candidate, lines.join(""));
    assert.equal(code, 1);
    assert.equal(stderr, "");
    assert.equal(
      stdout,
      `TENANT  NAME        TYPE  QUERIES  WAS                       BECOMES
a       www.x.org.  A     2        forwarded to one          denied REFUSED by p/org
a       www.y.com.  A     1        denied NXDOMAIN by p/com  forwarded to one
b       www.x.org.  A     1        forwarded to one          denied REFUSED by p/org

5 queries judged, 4 would end otherwise, 2 that no policy judges
`,
    );
    const { changes, ...sums } = JSON.parse((await replay(candidate, lines.join(""), "-o", "json")).stdout);
    assert.deepEqual(sums, { queries: 5, changed: 4, open: 0, skipped: 2, unreadable: 0, untold: 0 });
    assert.deepEqual([changes.length, changes[0].after.rule], [3, "p/org"]);
    assert.match((await replay(candidate, lines.join(""), "--limit", "1")).stdout, /\nand 2 more \(--limit\)\n/);
    const same = await replay(OLD, lines.join(""));
    assert.deepEqual(same, {
      code: 0,
      stdout: "5 queries judged, 0 would end otherwise, 2 that no policy judges\n",
      stderr: "",
    });
  });

  it("compares what names are answered as", async () => {
    const rewrite = (to: string) =>
      policy(
        `name: r, match: {names: ["*.x.org"]}, action: Rewrite, rewrite: {from: x.org, to: ${to}}`,
        'name: com, match: {names: ["*.com"]}, action: Deny',
      );
    const recorded = { policy: "p", rule: "r", rewritten: "www.x.net." };
    assert.equal(await becomes(rewrite("x.net"), {}), "1 forwarded to one -> forwarded to one as www.x.net. by p/r");
    assert.equal(await becomes(rewrite("x.net"), recorded), "0 same");
    assert.equal(
      await becomes(rewrite("x.com"), recorded),
      "1 forwarded to one as www.x.net. by p/r -> denied NXDOMAIN as www.x.com. by p/com",
    );
    assert.equal(await becomes(OLD, recorded), "1 forwarded to one as www.x.net. by p/r -> forwarded to one");
  });

  it("judges the addresses that were answered by response rules", async () => {
    const guarded = (...rules: string[]) =>
      `${policy('name: none, match: {names: ["*.none"]}, action: Deny')}  responseRules:\n${rules.map((rule) => `    - {${rule}}\n`).join("")}`;
    const deny = "action: Deny";
    const inside = guarded(`name: in, match: {addresses: [10.0.0.0/9]}, ${deny}`);
    const denies = "1 forwarded to one -> denied NOERROR by p/in";
    assert.equal(await becomes(inside, { answers: ["192.0.2.1", "10.1.2.3"] }), denies);
    assert.equal(await becomes(inside, { qtype: "AAAA", answers: ["::ffff:10.1.2.3"] }), denies);
    assert.equal(await becomes(inside, { qtype: "AAAA", answers: ["64:ff9b::a01:203"] }), denies);
    assert.equal(await becomes(inside, { qtype: "AAAA", answers: ["2002:a01:203::1"] }), denies);
    assert.equal(await becomes(inside, { answers: ["10.128.0.1", "192.0.2.1"] }), "0 same");
    assert.equal(await becomes(inside, {}), "0 same", "nothing is known of what it was answered");
    assert.equal(
      await becomes(inside, { outcome: "answered", upstream: undefined, answers: ["10.1.2.3"] }),
      "0 answered -> forwarded to one, unless the mesh has it",
      "an answer of ours is no upstream's",
    );
    const named = [
      `name: except, match: {names: ["*.x.org"], addresses: [10.1.0.0/16]}, action: Accept`,
      `name: in, match: {addresses: [10.0.0.0/8], types: [A]}, ${deny}`,
    ];
    assert.equal(await becomes(guarded(...named), { answers: ["10.1.2.3"] }), "0 same");
    assert.equal(await becomes(guarded(...named), { answers: ["10.2.2.3"] }), denies);
    assert.equal(await becomes(guarded(...named), { qname: "x.org.", answers: ["10.1.2.3"] }), denies);
    const trial = guarded(`name: in, mode: Audit, match: {addresses: [10.0.0.0/8]}, ${deny}`);
    assert.equal(await becomes(trial, { answers: ["10.1.2.3"] }), "0 same");
    const { code, stderr } = await replay(guarded(`name: out, match: {targets: ["*.org"]}, ${deny}`), line());
    assert.deepEqual(
      [code, stderr],
      [0, "warning: response rule p/out asks for what a query log does not have: it is passed by\n"],
    );
  });

  it("compares rcodes, upstreams, faults, answers and silence", async () => {
    const com = { qname: "x.com." };
    const deny = (response: string) =>
      policy(`name: com, match: {names: ["*.com"]}, action: Deny, response: {${response}}`);
    assert.equal(
      await becomes(deny("code: REFUSED"), { ...com, ...denied }),
      "1 denied NXDOMAIN by p/com -> denied REFUSED by p/com",
    );
    assert.equal(
      await becomes(deny("code: Drop"), { ...com, ...denied }),
      "1 denied NXDOMAIN by p/com -> denied NONE by p/com",
    );
    assert.equal(await becomes(deny("code: Drop"), { ...com, ...denied, rcode: "NONE" }), "0 same");
    assert.equal(await becomes(deny("code: Truncate"), { ...com, ...denied }), "0 same");
    const route = policy('name: r, match: {names: ["*"]}, action: Route, route: {upstream: two}');
    assert.equal(await becomes(route, {}), "1 forwarded to one -> forwarded to two by p/r");
    assert.equal(await becomes(route, { upstream: undefined, cache: "hit" }), "0 same");
    const fault = policy('name: f, match: {names: ["*"]}, action: Fault, fault: {code: SERVFAIL}');
    assert.equal(await becomes(fault, {}), "1 forwarded to one -> faulted SERVFAIL by p/f");
    assert.equal(await becomes(fault, { outcome: "faulted", rcode: "SERVFAIL" }), "0 same");
    const answer = policy('name: o, match: {names: ["*"]}, action: Answer, answer: {records: [A 192.0.2.1]}');
    assert.equal(await becomes(answer, {}), "1 forwarded to one -> answered by p/o");
    assert.equal(await becomes(answer, { outcome: "answered" }), "0 same");
    assert.equal(await becomes(OLD, { outcome: "failed", rcode: "SERVFAIL" }), "0 same");
  });

  it("takes the moment of the query, and what chance may do", async () => {
    const hours = policy('name: h, match: {names: ["*"], schedule: {between: ["11:00", "12:30"]}}, action: Deny');
    assert.equal(await becomes(hours, {}), "1 forwarded to one -> denied NXDOMAIN by p/h");
    assert.equal(await becomes(hours, { time: "2026-11-24T12:30:00.000000Z" }), "0 same");
    const chance = policy('name: c, match: {names: ["*"], percent: 1}, action: Fault, fault: {code: SERVFAIL}');
    assert.equal(await becomes(chance, { outcome: "faulted", rcode: "SERVFAIL" }), "0 same");
    assert.equal(await becomes(chance, {}), "0 same");
    assert.equal(
      await becomes(chance, {}, "--from", join(folder, "old.yaml")),
      "1 forwarded to one -> forwarded to one or by chance faulted SERVFAIL by p/c",
    );
  });

  it("knows whose a query was, as far as a log tells", async () => {
    // By its certificate; where the log has no principal, it has the tenant that came of it.
    assert.equal(await becomes(OLD, { tenant: "b", client: "10.0.0.1" }), "0 same");
    const shown = { tenant: "b", client: "10.0.0.1", principal: "spiffe://d/ns/b/x" };
    assert.equal(await becomes(OLD, shown), "0 same");
    const others = OLD.replace("spiffe://d/ns/b/*", "spiffe://d/ns/c/*");
    assert.equal(await becomes(others, shown), "1 forwarded to one -> forwarded to one, as a");
    // No certificate makes it this one.
    assert.equal(
      await becomes(OLD, { tenant: "a", client: "10.1.0.1" }),
      "1 forwarded to one -> forwarded to one, as b",
    );
    const fewer = OLD.replace("10.0.0.0/16", "10.0.0.0/24");
    assert.equal(await becomes(fewer, { client: "10.0.7.1" }), "1 forwarded to one -> denied REFUSED, nobody's");
    assert.equal(
      await becomes(OLD, { tenant: "", client: "192.0.2.9", outcome: "denied", rcode: "REFUSED", upstream: undefined }),
      "0 same",
    );
    const blind = OLD.replace("subject: {}", 'subject: {principals: ["spiffe://d/ns/b/x"]}');
    assert.match(
      (await replay(blind, line())).stderr,
      /^warning: ClusterDnsPolicy\/p asks for what a query log does not have/,
    );
    const { stdout, stderr } = await replay(blind, line({ ...shown, qname: "www.x.com." }));
    assert.match(stdout, /forwarded to one +denied NXDOMAIN by p\/com\n/);
    assert.equal(stderr, "");
  });

  it("says where it cannot tell, and can with what was in force", async () => {
    const mesh = await replay(
      OLD,
      line({ qname: "db.shop.svc.cluster.local.", outcome: "answered", upstream: undefined }),
    );
    assert.equal(mesh.code, 0);
    assert.match(mesh.stdout, /forwarded to one, unless the mesh has it\n/);
    const alias = { qname: "alias.org.", ...denied };
    const { code, stdout } = await replay(OLD, line(alias));
    assert.equal(code, 0);
    assert.match(
      stdout,
      /forwarded to one, if what its answer points to may\n\n1 query judged, 0 would end otherwise, 1 cannot be told\n$/,
    );
    assert.equal(await becomes(OLD, alias, "--from", join(folder, "old.yaml")), "0 same");
    const without = policy('name: other, match: {names: ["*.net"]}, action: Deny');
    assert.equal(await becomes(without, alias), "1 denied NXDOMAIN by p/com -> forwarded to one");
  });

  it("reads files, also compressed, and tells of lines that it cannot read", async () => {
    const log = join(folder, "queries.jsonl");
    const bad = `${line()}{"time":\n\n{"qname":"x."}\n${line({ client: "x" })}${line({ qname: "a..b." })}`;
    await writeFile(log, bad);
    await writeFile(`${log}.gz`, gzipSync(bad));
    const args = ["--against", join(folder, "old.yaml")];
    for (const path of [log, `${log}.gz`]) {
      const { code, stdout, stderr } = await runCommand(["replay", path, ...args]);
      assert.deepEqual([code, stdout], [0, "1 query judged, 0 would end otherwise, 4 lines not read\n"]);
      assert.match(
        stderr,
        /: line 2: expected a line of JSON\n.*: line 4: expected a query .* another time\n.*: line 5: expected a client's/,
      );
    }
    await writeFile(`${log}.gz`, "no gzip");
    for (const [path, expected] of [
      [`${log}.gz`, 2],
      [join(folder, "none"), 2],
    ] as const) {
      assert.equal((await runCommand(["replay", path, ...args])).code, expected);
    }
    assert.equal((await replay(OLD, "")).code, 1);
    assert.equal((await replay(OLD, line(), "--limit", "x")).code, 2);
  });
});
