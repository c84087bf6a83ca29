/**
 * The zones that were fetched, in the thread of lists: what changes are made to, so that a change of one name in a
 * million is one.
 */
import { readFileSync } from "node:fs";
import type { Primary, ZoneReference } from "../compiled/list-reference.ts";
import { fetchZone, TransferRefused } from "./fetch-zone.ts";
import { type ListContent, ListNames } from "./list-names.ts";
import type { Soa, TransferRecord } from "./transfer-message.ts";
import type { TsigKey } from "./tsig.ts";
import { readCopy, writeCopy, type ZoneCopy } from "./zone-copy.ts";
import type { ZoneSink } from "./zone-transfer.ts";

/** With no content where the asker has it. */
export interface ZoneSuccess {
  readonly ok: true;
  readonly soa: Soa;
  readonly content?: ListContent;
}

export type ZoneOutcome = ZoneSuccess | { readonly ok: false; readonly error: string };

interface HeldZone extends ZoneCopy {
  /** When it was last written down. */
  readonly copied: number;
}

/** How often a zone that goes on changing is written down: what is missing in a copy is asked for again. */
const COPY_MS = 60_000;

/** Of which list a zone is, where it comes from, and which serial of it the asker has. */
export interface ZoneRequest {
  readonly list: string;
  readonly zone: ZoneReference;
  readonly serial: number | undefined;
}

export class ZoneStore {
  /** Where zones are written down; without one, a new service begins with none. */
  readonly #directory: string | undefined;
  readonly #zones = new Map<string, HeldZone>();
  /** Changes of one zone are made one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(directory: string | undefined) {
    this.#directory = directory;
  }

  /** From the first primary that gives it. */
  refresh(request: ZoneRequest): Promise<ZoneOutcome> {
    const key = keyOf(request);
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(() => this.#refresh(key, request));
    this.#turns.set(key, turn);
    return turn;
  }

  /** As it was written down; undefined where it was not, or not well. */
  restore(request: ZoneRequest): ZoneSuccess | undefined {
    const key = keyOf(request);
    const copy = this.#directory === undefined ? undefined : readCopy(this.#directory, key);
    if (copy === undefined) return undefined;
    this.#zones.set(key, { ...copy, copied: 0 });
    return { ok: true, soa: copy.soa, content: copy.names.finish() };
  }

  /** These are held on, and no others. */
  keep(requests: readonly Omit<ZoneRequest, "serial">[]): void {
    const keys = new Set(requests.map(keyOf));
    for (const key of this.#zones.keys()) if (!keys.has(key)) this.#zones.delete(key);
    for (const key of this.#turns.keys()) if (!keys.has(key)) this.#turns.delete(key);
  }

  async #refresh(key: string, request: ZoneRequest): Promise<ZoneOutcome> {
    const errors: string[] = [];
    for (const primary of request.zone.primaries) {
      try {
        const soa = await this.#fetch(key, request.zone, primary);
        const held = this.#zones.get(key);
        if (held === undefined || soa.serial === request.serial) return { ok: true, soa };
        return { ok: true, soa, content: held.names.finish() };
      } catch (error) {
        errors.push(`${primary.address} port ${primary.port}: ${(error as Error).message}`);
      }
    }
    return { ok: false, error: errors.join("; ") };
  }

  /** Changes, or the whole zone from a primary that tells no changes. */
  async #fetch(key: string, zone: ZoneReference, primary: Primary): Promise<Soa> {
    const held = this.#zones.get(key);
    try {
      return await this.#update(key, zone, primary, held);
    } catch (error) {
      if (!(error instanceof TransferRefused && error.lacksChanges) || held === undefined) throw error;
      return await this.#update(key, zone, primary, undefined);
    }
  }

  async #update(key: string, reference: ZoneReference, primary: Primary, held: HeldZone | undefined): Promise<Soa> {
    const { zone, tsig } = reference;
    const changes = new Changes(zone, held?.names ?? new ListNames());
    const transfer = await fetchZone({ primary, zone, serial: held?.soa.serial, key: tsig && readKey(tsig) }, changes);
    const { soa } = transfer;
    if (!transfer.changed) return soa;
    const names = changes.apply();
    names.serial = soa.serial;
    this.#zones.set(key, { names, soa, copied: this.#writeDown(key, { names, soa }, held?.copied ?? 0) });
    return soa;
  }

  /** When it was written down last. */
  #writeDown(key: string, copy: ZoneCopy, copied: number): number {
    const now = Date.now();
    if (this.#directory === undefined || now < copied + COPY_MS) return copied;
    writeCopy(this.#directory, key, copy);
    return now;
  }
}

function keyOf({ list, zone }: Omit<ZoneRequest, "serial">): string {
  return `${list} ${JSON.stringify(zone)}`;
}

/** Nothing is changed before all is there: a transfer that breaks off leaves the zone as it was. */
class Changes implements ZoneSink {
  readonly #zone: string;
  readonly #before: ListNames;
  readonly #steps: { readonly record: TransferRecord; readonly remove: boolean }[] = [];
  #whole: ListNames | undefined;

  constructor(zone: string, before: ListNames) {
    this.#zone = `${zone.toLowerCase()}.`;
    this.#before = before;
  }

  clear(): void {
    this.#whole = new ListNames();
  }

  add(record: TransferRecord): void {
    if (this.#whole === undefined) this.#steps.push({ record, remove: false });
    else this.#whole.addRecord("the zone", toRpz(record), this.#zone);
  }

  remove(record: TransferRecord): void {
    this.#steps.push({ record, remove: true });
  }

  apply(): ListNames {
    if (this.#whole !== undefined) return this.#whole;
    for (const { record, remove } of this.#steps) {
      if (remove) this.#before.removeRecord("the zone", toRpz(record), this.#zone);
      else this.#before.addRecord("the zone", toRpz(record), this.#zone);
    }
    return this.#before;
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

function readKey({ name, algorithm, secretFile }: NonNullable<ZoneReference["tsig"]>): TsigKey {
  const secret = Buffer.from(readFileSync(secretFile, "utf8").trim(), "base64");
  if (secret.length === 0) throw new Error(`expected a secret in base64 in ${secretFile}, got none`);
  return { name: name.toLowerCase(), algorithm, secret };
}
