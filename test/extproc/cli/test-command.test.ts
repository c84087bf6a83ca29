import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Harness } from "../server/harness.ts";
import { POLICY } from "../server/policies.ts";
import { runCommand } from "./run-command.ts";

const MORE = `${POLICY}---
apiVersion: dns.mesh/v1alpha1
kind: ClusterDnsPolicy
metadata: { name: all }
spec:
  tier: Admin
  priority: 1
  subject: {}
  rules:
    - { name: sink, match: { names: [sink.example] }, action: Deny, response: { addresses: [192.0.2.1, "2001:db8::1"], ttl: 9s } }
    - { name: own, match: { names: [own.example] }, action: Answer, answer: { records: [A 192.0.2.7, A 192.0.2.8] } }
    - { name: drop, match: { names: [drop.example] }, action: Deny, response: { code: Drop } }
    - { name: fail, match: { names: [fail.example] }, action: Fault, fault: { code: SERVFAIL } }
    - name: hours
      match: { names: [hours.example], schedule: { between: ["08:00", "18:00"] } }
      action: Deny
`;

const GOOD = `cases:
  - title: no .com
    client: [127.0.1.1, 127.0.1.2]
    name: [www.x.com, a.b.com]
    type: [A, AAAA]
    transport: [udp, doh3]
    expect:
      { outcome: deny, tenant: frontend, rule: no-com/deny-com, rcode: NXDOMAIN, ede: Blocked, ttl: 30s, upstream: none }
  - { client: 127.0.1.1, name: x.org, expect: { outcome: forward, rule: none, upstream: public, ede: none } }
  - { client: "::1", name: x.org, expect: { outcome: deny, tenant: none, rcode: REFUSED, ede: 18, text: unknown client } }
  - { client: 127.0.1.1, name: sink.example, expect: { addresses: [192.0.2.1], ttl: 9s } }
  - { client: 127.0.1.1, name: sink.example, type: AAAA, expect: { addresses: ["2001:DB8::1"] } }
  - { client: 127.0.1.1, name: sink.example, type: TXT, expect: { addresses: [], rcode: NOERROR } }
  - { client: 127.0.1.1, name: own.example, expect: { outcome: answer, addresses: [192.0.2.8, 192.0.2.7], records: [A 192.0.2.7, A 192.0.2.8] } }
  - { client: 127.0.1.1, name: drop.example, expect: { rcode: Drop } }
  - { client: 127.0.1.1, name: fail.example, expect: { outcome: fault, rcode: SERVFAIL } }
  - { client: 127.0.1.1, name: hours.example, at: "2026-11-24T09:00:00Z", expect: { rule: all/hours } }
  - { client: 127.0.1.1, name: hours.example, at: "2026-11-24T19:00:00Z", expect: { rules: { all/hours: no match, no-com/deny-com: no match } } }
`;

const BAD = `cases:
  - { client: 127.0.1.1, name: www.x.com, expect: { outcome: forward, upstream: public } }
  - title: <b> & "so"
    client: 127.0.1.1
    name: sink.example
    expect:
      { tenant: backend, rule: none, rcode: NXDOMAIN, ede: Filtered, text: x, ttl: 8s, addresses: [192.0.2.2], records: [], rules: { a/b: decides } }
  - { client: 127.0.1.1, name: x.org, expect: { outcome: forward } }
`;

describe("dnspolicy test", () => {
  let folder: string;
  let policy: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "dnspolicy-test-"));
    policy = join(folder, "policy.yaml");
    await writeFile(policy, MORE);
  });
  afterEach(() => rm(folder, { recursive: true }));

  const test = (stdin: string, ...args: string[]) =>
    runCommand(["test", "-f", "-", ...(args.includes("--server") ? [] : ["--against", policy]), ...args], { stdin });

  it("passes where all comes as expected, by files and by the service", async () => {
    assert.deepEqual(await test(GOOD), { code: 0, stdout: "26 cases passed, 0 failed\n", stderr: "" });
    const harness = await Harness.start();
    try {
      const [admin] = harness.service.admin;
      const server = ["--server", admin?.kind === "unix" ? `unix:${admin.path}` : ""];
      assert.equal((await runCommand(["apply", "-f", policy, ...server])).code, 0);
      const service = await test(GOOD, ...server);
      assert.deepEqual(service, { code: 0, stdout: "26 cases passed, 0 failed\n", stderr: "" });
    } finally {
      await harness.stop();
    }
  });

  it("passes with the example of the demo", async () => {
    const example = (name: string) => join(import.meta.dirname, "../../../examples", name);
    const { code, stdout } = await runCommand([
      "test",
      "-f",
      example("cases/demo.yaml"),
      "--against",
      example("demo.yaml"),
    ]);
    assert.deepEqual([code, stdout], [0, "35 cases passed, 0 failed\n"]);
  });

  it("says what was expected and what came, and fails", async () => {
    const { code, stdout } = await test(BAD);
    assert.equal(code, 1);
    assert.equal(
      stdout,
      `FAIL stdin:2: 127.0.1.1 asks www.x.com A over udp
     outcome: expected forward, got deny
     upstream: expected public, got none
     denied: NXDOMAIN, EDE 15 (Blocked) "frontend/no-com/deny-com", TTL 30, by rule no-com/deny-com
FAIL stdin:3: <b> & "so": 127.0.1.1 asks sink.example A over udp
     tenant: expected backend, got frontend
     rule: expected none, got all/sink
     rcode: expected NXDOMAIN, got NOERROR
     ede: expected Filtered, got 4 (ForgedAnswer)
     text: expected x, got frontend/all/sink
     ttl: expected 8, got 9
     addresses: expected 192.0.2.2, got 192.0.2.1
     records: expected none, got A 192.0.2.1
     rules.a/b: expected decides, got no such rule of the tenant
     denied: NOERROR, EDE 4 (ForgedAnswer) "frontend/all/sink", TTL 9: A 192.0.2.1, by rule all/sink
1 case passed, 2 failed
`,
    );
  });

  it("prints JSON, and JUnit's XML", async () => {
    const { passed, failed, cases } = JSON.parse((await test(BAD, "-o", "json")).stdout);
    assert.deepEqual([passed, failed, cases[2].passed, cases[0].mismatches.length], [1, 2, true, 2]);
    const { code, stdout } = await test(BAD, "-o", "junit");
    assert.equal(code, 1);
    const lines = stdout.split("\n");
    assert.equal(lines[0], '<?xml version="1.0" encoding="UTF-8"?>');
    assert.match(lines[1] ?? "", /^<testsuites tests="3" failures="2" errors="0" skipped="0" time="0\.000">$/);
    assert.match(stdout, /<testcase name="&lt;b&gt; &amp; &quot;so&quot;: 127/);
    assert.match(
      stdout,
      /<failure message="outcome: expected forward, got deny">outcome: .*\nupstream: expected public/,
    );
    assert.match(
      stdout,
      /<testcase name="127\.0\.1\.1 asks x\.org A over udp" classname="stdin" file="stdin" line="8" time="0\.000"\/>/,
    );
  });

  it("says where cases are not valid", async () => {
    for (const [cases, expected] of [
      [
        "cases:\n  - { client: x, name: a.example, expect: { rule: none } }",
        "stdin: line 2, cases[0].client[0]: expected an IPv4",
      ],
      [
        "cases:\n  - client: ::1\n    name: a..b\n    expect: { rule: none }",
        "stdin: line 3, cases[0].name[0]: expected no empty label",
      ],
      ["cases:\n  - { client: ::1, name: a, expect: {} }", "stdin: line 2, cases[0].expect: expected outcome, tenant"],
      [
        "cases:\n  - { client: ::1, name: a, expect: { rul: x } }",
        "stdin: line 2, cases[0].expect.rul: expected rule, got the unknown field",
      ],
      ["cases:\n  - { client: ::1, name: a }", "stdin: line 2, cases[0].expect: expected a map, got nothing"],
      ["cases: []", "stdin: line 1, cases: expected at least 1, got an empty list"],
      ["x: [", "stdin: line 1: expected YAML"],
      ["[]", "stdin: line 1: expected a map, got an empty list"],
    ] as const) {
      const { code, stderr } = await test(cases);
      assert.equal(code, 2, cases);
      assert.ok(stderr.startsWith(expected), `expected ${expected}, got ${stderr}`);
    }
    assert.equal((await test(GOOD, "--against", join(folder, "none"))).code, 2);
    await writeFile(policy, "kind: x");
    assert.equal((await test(GOOD)).code, 1);
  });
});
