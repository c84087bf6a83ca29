import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Credentials, digestOf } from "../../../extproc/server/admin/credentials.ts";
import { Harness, until } from "../server/harness.ts";
import { WorkerPeer } from "../server/peers.ts";
import { POLICY } from "../server/policies.ts";
import { batchOf, eventOf } from "../telemetry/events.ts";
import { runCommand } from "./run-command.ts";

const MORE = `apiVersion: dns.mesh/v1alpha1
kind: ClusterDnsPolicy
metadata: { name: all }
spec:
  tier: Admin
  priority: 1
  subject: {}
  rules:
    - { name: org, match: { names: ["*.org"] }, action: Deny }
    - { name: www, match: { names: [www.org] }, action: Accept }
    - { name: trial, mode: Audit, match: { names: ["*.net"] }, action: Deny }
    - { name: bounds, match: { names: ["*"] }, action: Ttl, ttl: { min: 5s } }
    - { name: asleep, mode: Disabled, match: { names: ["*"] }, action: Deny }
`;

describe("dnspolicy lint", () => {
  let folder: string;
  let files: string[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "dnspolicy-test-"));
    files = [join(folder, "a.yaml"), join(folder, "b.yaml")];
    await writeFile(files[0] ?? "", POLICY);
    await writeFile(files[1] ?? "", MORE);
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("tells of files where something is, and fails where it is strict", async () => {
    const args = ["lint", ...files.flatMap((path) => ["-f", path])];
    const { code, stdout } = await runCommand(args);
    assert.equal(code, 0);
    const found = `warning: ${files[1]}: document 1, line 10, spec.rules[1]: expected a rule that can have a word, got www, of which everything is decided before: by rule org of ClusterDnsPolicy/all (${files[1]}, line 9) [unreachable]`;
    assert.equal(stdout, `${found}\n1 warning, 0 notes\n`);
    assert.equal((await runCommand([...args, "--strict"])).code, 1);
    const [json] = JSON.parse((await runCommand([...args, "-o", "json"])).stdout);
    assert.deepEqual([json.kind, json.severity, json.line], ["unreachable", "warning", 10]);
    assert.equal((await runCommand(["lint", "-f", files[0] ?? "", "--strict"])).code, 0);
    await writeFile(files[0] ?? "", "kind: no");
    assert.equal((await runCommand(args)).code, 1);
  });

  it("tells of a service's policy, and of rules that have matched nothing for long", async () => {
    const harness = await Harness.start();
    try {
      const server = ["--server", endpointOf(harness)];
      assert.equal((await runCommand(["apply", "-f", files[1] ?? "", ...server])).code, 0);
      const told = async (...args: string[]) => {
        const { stdout, stderr } = await runCommand(["lint", ...server, "-o", "json", ...args]);
        const findings = JSON.parse(stdout) as { kind: string; source: string; path: string }[];
        return [...findings.map(({ kind, source, path }) => `${kind} ${source} ${path}`), stderr];
      };
      const unreachable = "unreachable stored ClusterDnsPolicy/all spec.rules[1]";
      const unmatched = (at: string) => `unmatched stored ${at}`;
      const soon = (days: number) =>
        `unmatched rules are not told: the service has counted matches since 2023-11-14T22:13:20.000Z, which is not ${days} days\n`;
      assert.deepEqual(await told(), [unreachable, soon(30)]);
      assert.deepEqual(await told("--unmatched-days", "0"), [
        unmatched("ClusterDnsPolicy/all spec.rules[0]"),
        unreachable,
        unmatched("ClusterDnsPolicy/all spec.rules[2]"),
        unmatched("DnsPolicy/no-com spec.rules[0]"),
        "",
      ]);
      const worker = WorkerPeer.hello(harness.client(), { node: "east", obedient: true });
      await worker.waitRevision(2);
      const audits = [{ policy: "all", rule: "trial", action: "DENY" as const }];
      const events = [eventOf(), eventOf({ policy: "", rule: "", outcome: 0, audits })];
      worker.report({ number: 1, events: batchOf(...events) });
      await until(() => worker.reportAcks.length > 0, "the report is counted");
      assert.deepEqual(await told("--unmatched-days", "0"), [
        unmatched("ClusterDnsPolicy/all spec.rules[0]"),
        unreachable,
        "",
      ]);
      assert.equal((await runCommand(["lint", ...server, "--unmatched-days", "x"])).code, 2);
    } finally {
      await harness.stop();
    }
  });

  it("tells a tenant's editor only of its own rules what matched", async () => {
    const adminCredentials = new Credentials([
      { name: "ci", role: "editor", tenant: "frontend", digest: digestOf("secret") },
      { name: "root", role: "admin", digest: digestOf("root") },
    ]);
    const harness = await Harness.start({ adminCredentials });
    try {
      const server = ["--server", endpointOf(harness)];
      assert.equal((await runCommand(["apply", "-f", files[1] ?? "", ...server, "--token", "root"])).code, 0);
      const args = ["lint", ...server, "--token", "secret", "--unmatched-days", "0", "-o", "json"];
      const { stdout } = await runCommand(args);
      const found = (JSON.parse(stdout) as { kind: string; source: string }[]).filter(
        ({ kind }) => kind === "unmatched",
      );
      assert.deepEqual(
        found.map(({ source }) => source),
        ["stored DnsPolicy/no-com"],
      );
    } finally {
      await harness.stop();
    }
  });
});

function endpointOf({ service }: Harness): string {
  const [admin] = service.admin;
  return admin?.kind === "unix" ? `unix:${admin.path}` : "";
}
