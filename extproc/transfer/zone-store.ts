/**
 * The zones that were fetched: what changes are made to, so that a change of one name in a million is one.
 */
import { readFileSync } from "node:fs";
import type { Primary, ZoneReference } from "../compiled/zone-reference.ts";
import { fetchZone, TransferRefused } from "./fetch-zone.ts";
import type { Soa, TransferRecord } from "./transfer-message.ts";
import type { TsigKey } from "./tsig.ts";
import { type CopyPlace, confirmCopy, readCopy, writeCopy } from "./zone-copy.ts";
import type { ZoneForm, ZoneRecords } from "./zone-records.ts";
import type { ZoneSink } from "./zone-transfer.ts";

/** With no content where the asker has it. */
export interface ZoneSuccess<Content> {
  readonly ok: true;
  readonly soa: Soa;
  /** When a primary said so, in milliseconds of the wall clock. */
  readonly confirmed: number;
  readonly content?: Content;
}

export type ZoneOutcome<Content> = ZoneSuccess<Content> | { readonly ok: false; readonly error: string };

interface HeldZone<Content> {
  readonly records: ZoneRecords<Content>;
  readonly soa: Soa;
  /** When a primary last said that it is so. */
  readonly confirmed: number;
  /** When it was last written down, and which serial. */
  readonly copied: number;
  readonly copiedSerial: number | undefined;
}

/** Whose zone it is, where it comes from, and which serial of it the asker has. */
export interface ZoneRequest {
  readonly owner: string;
  readonly zone: ZoneReference;
  readonly serial: number | undefined;
}

export interface ZoneStoreOptions<Content> {
  /** Where zones are written down; without one, a new service begins with none. */
  readonly directory: string | undefined;
  readonly form: ZoneForm<Content>;
  /** How often a zone that goes on changing is written down. */
  readonly copyMs: number;
  /** Milliseconds of the wall clock. */
  readonly now: () => number;
}

export class ZoneStore<Content> {
  readonly #options: ZoneStoreOptions<Content>;
  readonly #zones = new Map<string, HeldZone<Content>>();
  /** Changes of one zone are made one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: ZoneStoreOptions<Content>) {
    this.#options = options;
  }

  /** From the first primary that gives it. */
  refresh(request: ZoneRequest): Promise<ZoneOutcome<Content>> {
    const key = keyOf(request);
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(() => this.#refresh(key, request));
    this.#turns.set(key, turn);
    return turn;
  }

  /** As it was written down; undefined where it was not, or not well. */
  restore(request: ZoneRequest): ZoneSuccess<Content> | undefined {
    const key = keyOf(request);
    const place = this.#placeOf(key);
    const copy = place && readCopy(place);
    if (copy === undefined) return undefined;
    const { soa, confirmed } = copy;
    const records = this.#options.form.load(request.zone.zone, copy.records);
    this.#zones.set(key, { records, soa, confirmed, copied: 0, copiedSerial: soa.serial });
    return { ok: true, soa, confirmed, content: records.finish(soa.serial) };
  }

  /** These are held on, and no others. */
  keep(requests: readonly Omit<ZoneRequest, "serial">[]): void {
    const keys = new Set(requests.map(keyOf));
    for (const key of this.#zones.keys()) if (!keys.has(key)) this.#zones.delete(key);
    for (const key of this.#turns.keys()) if (!keys.has(key)) this.#turns.delete(key);
  }

  /** Zones that are other than in their copies; by default not those that were written down a moment ago. */
  writeDown(all = false): void {
    const { now, copyMs } = this.#options;
    for (const [key, held] of this.#zones) {
      const { records, soa, confirmed, copied, copiedSerial } = held;
      const place = this.#placeOf(key);
      if (place === undefined || soa.serial === copiedSerial || (!all && now() < copied + copyMs)) continue;
      writeCopy(place, { records: records.save(), soa });
      confirmCopy(place, confirmed);
      this.#zones.set(key, { ...held, copied: now(), copiedSerial: soa.serial });
    }
  }

  async #refresh(key: string, request: ZoneRequest): Promise<ZoneOutcome<Content>> {
    const errors: string[] = [];
    for (const primary of request.zone.primaries) {
      try {
        const soa = await this.#fetch(key, request.zone, primary);
        const confirmed = this.#options.now();
        const held = this.#zones.get(key);
        if (held !== undefined) this.#confirm(key, held, confirmed);
        if (held === undefined || soa.serial === request.serial) return { ok: true, soa, confirmed };
        return { ok: true, soa, confirmed, content: held.records.finish(soa.serial) };
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

  async #update(
    key: string,
    { zone, tsig }: ZoneReference,
    primary: Primary,
    held: HeldZone<Content> | undefined,
  ): Promise<Soa> {
    const changes = new Changes(() => this.#options.form.empty(zone), held?.records);
    const transfer = await fetchZone({ primary, zone, serial: held?.soa.serial, key: tsig && readKey(tsig) }, changes);
    const { soa } = transfer;
    if (!transfer.changed) return soa;
    const { confirmed = 0, copied = 0, copiedSerial } = held ?? {};
    this.#zones.set(key, { records: changes.apply(), soa, confirmed, copied, copiedSerial });
    return soa;
  }

  /** What was written down is so still, or is written down. */
  #confirm(key: string, held: HeldZone<Content>, confirmed: number): void {
    this.#zones.set(key, { ...held, confirmed });
    const place = this.#placeOf(key);
    if (place !== undefined && held.soa.serial === held.copiedSerial) confirmCopy(place, confirmed);
    else this.writeDown();
  }

  #placeOf(key: string): CopyPlace | undefined {
    const { directory, form } = this.#options;
    return directory === undefined ? undefined : { directory, format: form.format, key };
  }
}

function keyOf({ owner, zone }: Omit<ZoneRequest, "serial">): string {
  return `${owner} ${JSON.stringify(zone)}`;
}

/** Nothing is changed before all is there: a transfer that breaks off leaves the zone as it was. */
class Changes<Content> implements ZoneSink {
  readonly #empty: () => ZoneRecords<Content>;
  readonly #before: ZoneRecords<Content> | undefined;
  readonly #steps: { readonly record: TransferRecord; readonly remove: boolean }[] = [];
  #whole: ZoneRecords<Content> | undefined;

  constructor(empty: () => ZoneRecords<Content>, before: ZoneRecords<Content> | undefined) {
    this.#empty = empty;
    this.#before = before;
  }

  clear(): void {
    this.#whole = this.#empty();
  }

  add(record: TransferRecord): void {
    if (this.#whole === undefined) this.#steps.push({ record, remove: false });
    else this.#whole.add(record);
  }

  remove(record: TransferRecord): void {
    this.#steps.push({ record, remove: true });
  }

  apply(): ZoneRecords<Content> {
    if (this.#whole !== undefined) return this.#whole;
    const records = this.#before ?? this.#empty();
    for (const { record, remove } of this.#steps) {
      if (remove) records.remove(record);
      else records.add(record);
    }
    return records;
  }
}

function readKey({ name, algorithm, secretFile }: NonNullable<ZoneReference["tsig"]>): TsigKey {
  const secret = Buffer.from(readFileSync(secretFile, "utf8").trim(), "base64");
  if (secret.length === 0) throw new Error(`expected a secret in base64 in ${secretFile}, got none`);
  return { name: name.toLowerCase(), algorithm, secret };
}
