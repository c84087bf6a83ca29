/**
 * Names of external-dns' DNSEndpoints: records as somebody wrote them, or a controller did, that external-dns would put
 * into a zone of a provider.
 */
import { MAX_TTL } from "../../resources/duration.ts";
import type { ObjectOf } from "../sources/object.ts";
import { readTarget } from "../sources/record-target.ts";
import { type Contribution, groupKey, toGroup } from "./contribution.ts";
import { ttlOf } from "./kubernetes-names.ts";
import { type RecordData, TYPE_CNAME, toText, wireOf } from "./wire.ts";

const NO_TTL = Number.POSITIVE_INFINITY;

/** `facets`: what Sidecars tell a host by. */
export function dnsEndpointNames(
  { namespace, value }: ObjectOf<"DNSEndpoint">,
  usual: number,
  facets: (host: string) => readonly string[],
): Contribution[] {
  const { metadata, spec } = value;
  const exportTo = (metadata.annotations["networking.istio.io/exportTo"] ?? "").split(",");
  const ttl = ttlOf(metadata.annotations, usual);
  const names = new Map<string, Contribution>();
  for (const { dnsName, recordType, recordTTL, targets } of spec.endpoints) {
    const records = targets.flatMap((target) => recordOf(recordType, target));
    if (records.length === 0) continue;
    const group = toGroup(namespace, exportTo, facets(dnsName.replace(/\.$/, "").toLowerCase()));
    const wildcard = dnsName.startsWith("*");
    const name = wireOf(dnsName.replace(/^\*{1,2}\./, ""));
    const key = `${groupKey(group)} ${wildcard} ${name}`;
    const before = names.get(key) ?? { name, wildcard, group, ttl: NO_TTL, records: [] };
    // external-dns takes 0 for a TTL that is not there. A name has one: the least that is.
    const least = Math.min(before.ttl, recordTTL || NO_TTL);
    names.set(key, { ...before, ttl: least, records: together(before.records, records) });
  }
  return [...names.values()].map((one) => ({ ...one, ttl: one.ttl === NO_TTL ? ttl : Math.min(one.ttl, MAX_TTL) }));
}

function recordOf(type: string, target: string): RecordData[] {
  const record = readTarget(type, target);
  // The schema has let only records through.
  return typeof record === "object" ? [{ type: record.type, data: toText(record.data) }] : [];
}

/** Each once; a name is either an alias, of one other, or has records (RFC 1034, section 3.6.2): these go before that. */
function together(before: readonly RecordData[], more: readonly RecordData[]): RecordData[] {
  const all = new Map([...before, ...more].map((record) => [`${record.type} ${record.data}`, record]));
  const others = [...all.values()].filter(({ type }) => type !== TYPE_CNAME);
  return others.length > 0 ? others : [...all.values()].slice(0, 1);
}
