/**
 * What is known of a query is made less, where its tenant wants that, before anything is done with it.
 */
import { createHmac } from "node:crypto";
import type { Comparison__Output } from "../gen/types/dns/mesh/v1/Comparison.ts";
import type { QueryEvent__Output } from "../gen/types/dns/mesh/v1/QueryEvent.ts";
import type { TenantTelemetry } from "./settings.ts";

const IPV4_OCTETS = 3;
const IPV6_OCTETS = 7;
const HASH_OCTETS = 10;

/** Changes the event. `key` makes hashes that nobody else can make, and so cannot try names against. */
export function conceal(
  event: QueryEvent__Output,
  { clients, names }: Pick<TenantTelemetry, "clients" | "names">,
  key: Buffer,
): void {
  if (clients !== "Full") {
    event.client = maskClient(event.client, clients === "None") as Buffer;
    event.principal = "";
    event.namespace = "";
    event.workload = "";
  }
  if (names === "Hashed" && event.qname.length > 0) {
    event.qname = hashName(event.qname, key);
    if (event.rewritten.length > 0) event.rewritten = hashName(event.rewritten, key);
    // Addresses would say as much as the name.
    event.answers = Buffer.alloc(0);
  }
}

/** The same of a comparison. */
export function concealComparison(
  one: Comparison__Output,
  { names }: Pick<TenantTelemetry, "names">,
  key: Buffer,
): void {
  if (names !== "Hashed") return;
  one.qname = hashName(one.qname, key);
  one.answers = Buffer.alloc(0);
}

/** Its network, or nothing. */
export function maskClient(client: Uint8Array, whole: boolean): Uint8Array {
  const masked = Buffer.alloc(client.length);
  const kept = whole ? 0 : client.length === 4 ? IPV4_OCTETS : IPV6_OCTETS;
  masked.set(client.subarray(0, kept));
  return masked;
}

/** A name of one label, the same for the same name in any case. */
export function hashName(qname: Uint8Array, key: Buffer): Buffer {
  const folded = Buffer.from(qname);
  for (const [index, octet] of folded.entries()) if (octet >= 0x41 && octet <= 0x5a) folded[index] = octet + 0x20;
  const label = `hash-${createHmac("sha256", key)
    .update(folded)
    .digest("hex")
    .slice(0, 2 * HASH_OCTETS)}`;
  return Buffer.concat([Buffer.from([label.length]), Buffer.from(label, "latin1"), Buffer.from([0])]);
}
