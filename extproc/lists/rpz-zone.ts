/**
 * A response policy zone that is fetched, record by record, as a list of names.
 */
import type { TransferRecord } from "../transfer/transfer-message.ts";
import type { ZoneForm, ZoneRecords } from "../transfer/zone-records.ts";
import { type ListContent, ListNames, type SavedList } from "./list-names.ts";

export const RPZ_FORM: ZoneForm<ListContent> = {
  format: "rpz 1",
  empty: (zone) => new RpzZone(zone, new ListNames()),
  load: (zone, saved) => new RpzZone(zone, ListNames.load(saved as SavedList)),
};

class RpzZone implements ZoneRecords<ListContent> {
  readonly #zone: string;
  readonly #names: ListNames;
  /** The serial of what was given out last. */
  #given: number | undefined;

  constructor(zone: string, names: ListNames) {
    this.#zone = `${zone.toLowerCase()}.`;
    this.#names = names;
  }

  add(record: TransferRecord): void {
    this.#names.addRecord("the zone", toRpz(record), this.#zone);
  }

  remove(record: TransferRecord): void {
    this.#names.removeRecord("the zone", toRpz(record), this.#zone);
  }

  finish(serial: number): ListContent {
    const names = this.#names;
    const { noted } = names;
    names.serial = serial;
    const content = names.finish();
    const changed =
      this.#given === undefined || noted === undefined ? {} : { changed: { since: this.#given, names: noted } };
    this.#given = serial;
    names.note();
    return { ...content, ...changed };
  }

  save(): SavedList {
    return this.#names.save();
  }
}

/** Types of a zone itself; all others are what it says of names. */
const OWN_TYPES: Readonly<Record<number, string>> = {
  2: "NS",
  5: "CNAME",
  6: "SOA",
  43: "DS",
  46: "RRSIG",
  47: "NSEC",
  48: "DNSKEY",
  50: "NSEC3",
  51: "NSEC3PARAM",
  59: "CDS",
  60: "CDNSKEY",
  63: "ZONEMD",
};

function toRpz({ owner, type, target }: TransferRecord) {
  return { owner, type: OWN_TYPES[type] ?? `TYPE${type}`, data: [target] };
}
