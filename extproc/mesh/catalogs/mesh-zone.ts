/**
 * A zone that is fetched, as names of the mesh: A, AAAA, CNAME, PTR, SRV and TXT. Names at and below a cut (NS, DNAME) are
 * another zone's, and none of these (RFC 1034, section 4.2.1; RFC 6672, section 2.4).
 */
import { parseName } from "../../resources/name-pattern.ts";
import { type TransferRecord, TYPE_DNAME, TYPE_NS, wireOfOwner } from "../../transfer/transfer-message.ts";
import type { ZoneForm, ZoneRecords } from "../../transfer/zone-records.ts";
import { type Octets, parentOf, type RecordData, toText } from "../names/wire.ts";
import { type CatalogName, type CatalogNames, keyOf } from "./catalog.ts";

/** More of them would take more memory than the mesh is given. */
const MAX_NAMES = 1_000_000;
/** An answer holds no more than some thousand. */
const MAX_RECORDS = 1000;
const ASTERISK = "\x01*";
/** RRSIG, NSEC, NSEC3, NSEC3PARAM: what signs a zone makes no name be there. */
const SIGNING = new Set([46, 47, 50, 51]);

interface ZoneRecord extends RecordData {
  /** Seconds; a name has the least of its records. */
  readonly ttl: number;
}

interface ZoneName {
  readonly records: readonly ZoneRecord[];
  /** How many records say that what is here and below is elsewhere. */
  readonly cuts: number;
  /** How many records say no more than that it is there. */
  readonly others: number;
}

type SavedName = readonly [owner: Octets, name: ZoneName];

export const MESH_FORM: ZoneForm<CatalogNames> = {
  format: "mesh 1",
  empty: (zone) => new MeshZone(zone, []),
  load: (zone, saved) => new MeshZone(zone, saved as readonly SavedName[]),
};

const NOTHING: ZoneName = { records: [], cuts: 0, others: 0 };

export class MeshZone implements ZoneRecords<CatalogNames> {
  readonly #apex: Octets;
  readonly #names: Map<Octets, ZoneName>;

  constructor(zone: string, names: readonly SavedName[]) {
    this.#apex = toText(parseName(zone).wire);
    this.#names = new Map(names);
  }

  add(record: TransferRecord): void {
    if (SIGNING.has(record.type)) return;
    const { owner, name } = this.#at(record);
    const data = record.readData();
    if (data === undefined) this.#names.set(owner, counted(name, owner === this.#apex, record.type, 1));
    else if (!name.records.some((one) => isIt(one, record.type, data))) {
      // A TTL with the highest bit is none (RFC 2181, section 8).
      const ttl = record.ttl >= 2 ** 31 ? 0 : record.ttl;
      this.#names.set(owner, { ...name, records: [...name.records, { type: record.type, data: toText(data), ttl }] });
    }
    if (this.#names.size > MAX_NAMES) throw new Error(`expected at most ${MAX_NAMES} names, got more`);
  }

  remove(record: TransferRecord): void {
    if (SIGNING.has(record.type)) return;
    const { owner, name } = this.#at(record);
    const data = record.readData();
    const left =
      data === undefined
        ? counted(name, owner === this.#apex, record.type, -1)
        : { ...name, records: name.records.filter((one) => !isIt(one, record.type, data)) };
    if (left.records.length + left.cuts + left.others > 0) this.#names.set(owner, left);
    else this.#names.delete(owner);
  }

  finish(): CatalogNames {
    const names = new Map<string, CatalogName>();
    for (const [owner, { records, cuts }] of this.#names) {
      if (cuts > 0 || this.#isBelowCut(owner)) continue;
      const wildcard = owner.startsWith(ASTERISK);
      const name = wildcard ? owner.slice(ASTERISK.length) : owner;
      const ttl = records.reduce((least, one) => Math.min(least, one.ttl), records[0]?.ttl ?? 0);
      const some = records.slice(0, MAX_RECORDS).map(({ type, data }) => ({ type, data }));
      names.set(keyOf({ name, wildcard }), { name, wildcard, ttl, records: some });
      this.#addAbove(wildcard ? name : (parentOf(name) ?? ""), names);
    }
    return names;
  }

  save(): readonly SavedName[] {
    return [...this.#names];
  }

  #at({ owner: text }: TransferRecord): { readonly owner: Octets; readonly name: ZoneName } {
    const owner = toText(wireOfOwner(text));
    if (!this.#isWithin(owner)) throw new Error(`expected names of the zone, got ${text}`);
    return { owner, name: this.#names.get(owner) ?? NOTHING };
  }

  #isWithin(owner: Octets): boolean {
    let at = owner;
    while (at.length > this.#apex.length) at = parentOf(at) ?? "";
    return at === this.#apex;
  }

  #isBelowCut(owner: Octets): boolean {
    for (let at = owner; at.length > this.#apex.length; at = parentOf(at) ?? "") {
      if ((this.#names.get(at)?.cuts ?? 0) > 0) return true;
    }
    return false;
  }

  /** Names from one up to the zone are there, too (RFC 8020). */
  #addAbove(name: Octets, names: Map<string, CatalogName>): void {
    for (let at = name; at.length >= this.#apex.length; at = parentOf(at) ?? "") {
      if (names.has(at) || this.#names.has(at)) return;
      names.set(at, { name: at, wildcard: false, ttl: 0, records: [] });
    }
  }
}

/** The NS of the zone itself cut nothing. */
function counted(name: ZoneName, isApex: boolean, type: number, by: 1 | -1): ZoneName {
  const isCut = type === TYPE_DNAME || (type === TYPE_NS && !isApex);
  return isCut ? { ...name, cuts: Math.max(0, name.cuts + by) } : { ...name, others: Math.max(0, name.others + by) };
}

function isIt(record: ZoneRecord, type: number, data: Uint8Array): boolean {
  return record.type === type && record.data === toText(data);
}
