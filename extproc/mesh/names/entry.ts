/**
 * A name as one group of objects has it, and what is said of it. There are hundreds of thousands: records are kept as the
 * octets that workers are told.
 */
import type { Contribution, Group } from "./contribution.ts";
import { decodeRecords, encodeRecords, type Octets, type RecordData } from "./wire.ts";

export interface NamedGroup extends Group {
  readonly id: number;
  readonly key: string;
  readonly entries: Map<Octets, Entry>;
  readonly wildcards: Map<Octets, Entry>;
}

export interface Entry {
  readonly name: Octets;
  readonly wildcard: boolean;
  readonly group: NamedGroup;
  /** Each by another owner. */
  said: readonly Said[];
  /** How many owners say no more than that it is there. */
  bare: number;
}

/** What one owner says of a name. */
export interface Said {
  readonly entry: Entry;
  readonly ttl: number;
  /** Of encodeRecords; empty where it is said to be there, and no more. */
  readonly records: Octets;
  /** Of each record, where that is known of any. */
  readonly places: readonly (string | undefined)[] | undefined;
}

export interface Content {
  readonly ttl: number;
  readonly records: readonly RecordData[];
}

/** What is said of no name. */
export const NOTHING: readonly Said[] = [];

/** Somebody says so; an entry of which nobody does is gone. */
export function isThere({ said, bare }: Entry): boolean {
  return bare > 0 || said.length > 0;
}

export function toSaid(entry: Entry, { ttl, records }: Contribution): Said {
  const places = records.some(({ place }) => place !== undefined) ? records.map(({ place }) => place) : undefined;
  return { entry, ttl, records: encodeRecords(records), places };
}

export function saysTheSame(a: Said, b: Said): boolean {
  return a.ttl === b.ttl && a.records === b.records && a.places?.join() === b.places?.join();
}

export function addTo(entry: Entry, said: Said): void {
  if (said.records === "") entry.bare++;
  // Most have one; a list that others are spread into has room for sixteen more.
  else entry.said = entry.said.length === 0 ? [said] : [...entry.said, said];
}

export function withdrawFrom(entry: Entry, said: Said): void {
  if (said.records === "") entry.bare--;
  else entry.said = entry.said.filter((one) => one !== said);
}

/** Its records, each once, whoever says it; and its TTL, the least. */
export function contentOf({ said }: Entry): Content {
  const [first] = said;
  if (first === undefined) return { ttl: 0, records: [] };
  const records = new Map<string, RecordData>();
  let { ttl } = first;
  for (const one of said) {
    ttl = Math.min(ttl, one.ttl);
    for (const record of recordsOf(one)) records.set(`${record.type} ${record.data}`, record);
  }
  return { ttl, records: [...records.values()] };
}

function recordsOf({ records, places }: Said): readonly RecordData[] {
  const decoded = decodeRecords(records);
  if (places === undefined) return decoded;
  return decoded.map((record, index) => {
    const place = places[index];
    return place === undefined ? record : { ...record, place };
  });
}
