/**
 * Decisions that nobody asked for, before anybody can ask: what a process does for the first time is read, compiled and,
 * of protobuf, written first, which made the first clients after a restart wait for a tenth of a second.
 */
import type { Snapshot } from "../../compiled/snapshot.ts";
import { tenantName } from "../../decide/client.ts";
import { extProcService } from "./ext-proc.ts";
import { Processor, type ProcessorDependencies } from "./processor.ts";

/** From there on, another round is no faster than the last. */
const ROUNDS = 100;
/** A query for warm-up.invalid (RFC 6761, section 6.4), type A. */
const QUERY = "AAABAAABAAAAAAAAB3dhcm0tdXAHaW52YWxpZAAAAQAB";

/** By this policy, whose decision points are not asked; nothing is counted. */
export function warmUp(snapshot: Snapshot, { identity, decide, clock }: Omit<ProcessorDependencies, "policy">): void {
  const { requestSerialize, requestDeserialize, responseSerialize } = extProcService.Process;
  const processor = new Processor({ identity, decide, clock, policy: () => snapshot });
  const headers = Object.entries({
    ":path": `/dns-query?dns=${QUERY}`,
    "x-dns-client": "192.0.2.1",
    "x-dns-listener": "udp",
    "x-dns-transport": "udp",
    // A tenant's decision goes by all that a stranger's does, and on.
    ...(snapshot.tables.tenantCount === 0 ? {} : { "x-dns-tenant": tenantName(snapshot, 0) }),
  }).map(([key, value]) => ({ key, raw_value: Buffer.from(value) }));
  const request = requestSerialize({ request_headers: { headers: { headers } } });
  for (let round = 0; round < ROUNDS; round++) {
    const answered = processor.process(requestDeserialize(request) as never);
    if (!(answered instanceof Promise)) responseSerialize(answered.response);
  }
}
