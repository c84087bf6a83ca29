/**
 * Short ways from YAML and text to what the policy rooms take, for their tests.
 */
import assert from "node:assert/strict";
import type { Compiled } from "../../../extproc/compile/change.ts";
import { CompileJobs } from "../../../extproc/compile/job.ts";
import type { Verdict } from "../../../extproc/compiled/messages.ts";
import { loadSnapshot, type Snapshot } from "../../../extproc/compiled/snapshot.ts";
import { parseAddress } from "../../../extproc/decide/address.ts";
import { type DecisionRequest, decide } from "../../../extproc/decide/decide.ts";
import { parseName } from "../../../extproc/resources/name-pattern.ts";
import { formatProblem } from "../../../extproc/resources/problem.ts";
import { inlineTables } from "../lists/inline-tables.ts";

export function compileText(text: string): Compiled {
  const result = new CompileJobs().run([{ name: "test.yaml", text }], undefined);
  assert.ok(result.ok, result.ok ? "" : result.problems.map(formatProblem).join("\n"));
  return result;
}

export function problemsOf(text: string): string[] {
  const result = new CompileJobs().run([{ name: "test.yaml", text }], undefined);
  return result.ok ? [] : result.problems.map(formatProblem);
}

export function warningsOf(text: string): string[] {
  return compileText(text).warnings.map(formatProblem);
}

export function snapshotOf(text: string, sequence = 1): Snapshot {
  const { policy } = compileText(text);
  return loadSnapshot(policy, sequence, inlineTables(policy));
}

export function addressOf(text: string): Uint8Array {
  const address = parseAddress(text);
  assert.ok(address, `${text} is no address`);
  return address;
}

export function wireOf(name: string): Uint8Array {
  const labels = parseName(name).labels;
  return Uint8Array.from([...labels.flatMap((label) => [label.length, ...label]), 0]);
}

export interface Asked extends Partial<Omit<DecisionRequest, "address" | "qname">> {
  readonly from?: string;
  readonly name?: string;
}

export function ask(snapshot: Snapshot, { from = "127.0.0.1", name = "www.example.com", ...rest }: Asked): Verdict {
  return decide(snapshot, {
    address: addressOf(from),
    listener: "test",
    transport: 0,
    qname: wireOf(name),
    qtype: 1,
    time: 0,
    ...rest,
  });
}

/** A set as several documents of JSON, which is YAML. */
export function documents(...resources: readonly object[]): string {
  return resources
    .map((resource) => `---\n${JSON.stringify({ apiVersion: "dns.mesh/v1alpha1", ...resource }, null, 1)}\n`)
    .join("");
}

export function tenant(name: string, spec: object): object {
  return { kind: "Tenant", metadata: { name }, spec };
}

export function upstream(name: string, spec: object = {}): object {
  const servers = [{ address: "192.0.2.53", serverName: "dns.example" }];
  return { kind: "Upstream", metadata: { name }, spec: { protocol: "DoT", servers, ...spec } };
}

export function nameList(name: string, spec: object): object {
  return { kind: "NameList", metadata: { name }, spec };
}

export function settings(spec: object): object {
  return { kind: "Settings", metadata: { name: "default" }, spec };
}

export type TierName = "Admin" | "Tenant" | "Baseline";

/** A policy of the tenant's own for one tenant; for several, one of the cluster's in tier Baseline. */
export function policy(name: string, priority: number, tenants: readonly string[], rules: readonly object[]): object {
  return tierPolicy(name, tenants.length === 1 ? "Tenant" : "Baseline", { priority, subject: { tenants }, rules });
}

export function tierPolicy(name: string, tier: TierName, spec: object): object {
  return tier === "Tenant"
    ? { kind: "DnsPolicy", metadata: { name }, spec }
    : { kind: "ClusterDnsPolicy", metadata: { name }, spec: { tier, ...spec } };
}
