/**
 * Sets that say a number: how many seconds their one rule denies for.
 */
import type { Snapshot } from "../../../extproc/compiled/snapshot.ts";
import { ask, documents, policy, tenant, upstream } from "../compile/compile-text.ts";

export function countingSet(seconds: number): string {
  const rule = { name: "r", match: { names: ["*"] }, action: "Deny", response: { ttl: `${seconds}s` } };
  const match = [{ cidrs: ["0.0.0.0/0"] }];
  return documents(upstream("u"), tenant("t", { match, upstream: "u" }), policy("p", 1, ["t"], [rule]));
}

/** Undefined for a set that does not count. */
export function secondsOf(snapshot: Snapshot | undefined): number | undefined {
  if (snapshot === undefined) return undefined;
  const verdict = ask(snapshot, { from: "10.0.0.1" });
  return "deny" in verdict && verdict.deny.rcode === 3 ? verdict.deny.ttl : undefined;
}
