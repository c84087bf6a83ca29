/**
 * Names as they come out of a list, whatever it is kept in: into the table, or among what is left.
 */
import type { NameTable } from "../compiled/name-table.ts";
import { NameTableBuilder, type SavedNames } from "./name-table-builder.ts";
import { actionOf, isOfZone, type RpzRecord, triggerOf } from "./rpz.ts";
import { WireName } from "./wire-name.ts";

export interface ListContent {
  readonly table: NameTable;
  /** What is in the list and not in the table: how much, and the first of it. */
  readonly left: number;
  readonly remarks: readonly string[];
  /** Of a zone's SOA. */
  readonly serial?: number;
  /** Of names in wire format, where these are all in which it is other than the content of that serial. */
  readonly changed?: { readonly since: number; readonly names: readonly Uint8Array[] };
}

/** Nobody reads more. */
const MAX_REMARKS = 5;

/** A list of more would take more memory than anybody means to give it. */
const MAX_NAMES = 10_000_000;

/** Of more changes, nobody wants to know the names. */
const MAX_NOTED = 512;

export interface SavedList {
  readonly builder: SavedNames;
  readonly remarks: readonly string[];
  readonly taken: number;
  readonly left: number;
  readonly serial: number | undefined;
}

export class ListNames {
  /** Of a zone's SOA. */
  serial: number | undefined;
  readonly #builder: NameTableBuilder;
  readonly #name = new WireName();
  /** What was added or removed since somebody wanted to know; undefined while nobody does, and of too much. */
  #noted: Uint8Array[] | undefined;
  readonly #remarks: string[] = [];
  #taken = 0;
  #left = 0;

  constructor(builder = new NameTableBuilder()) {
    this.#builder = builder;
  }

  /** All of it, for load(). */
  save(): SavedList {
    const { serial } = this;
    return { builder: this.#builder.save(), remarks: this.#remarks, taken: this.#taken, left: this.#left, serial };
  }

  static load({ builder, remarks, taken, left, serial }: SavedList): ListNames {
    const names = new ListNames(NameTableBuilder.load(builder));
    names.#remarks.push(...remarks);
    names.#taken = taken;
    names.#left = left;
    names.serial = serial;
    return names;
  }

  /** A name, or `*.` and one; `place` says where it stands. */
  add(place: string, text: string, { subdomains = false, excepts = false } = {}): void {
    this.#change(place, text, subdomains, excepts, 1);
  }

  /** A record of a response policy zone: a name that is listed, or one that may pass. */
  addRecord(place: string, record: RpzRecord, zone: string): void {
    this.#changeRecord(place, record, zone, 1);
  }

  removeRecord(place: string, record: RpzRecord, zone: string): void {
    this.#changeRecord(place, record, zone, -1);
  }

  /** From now on, names that come or go are noted. */
  note(): void {
    this.#noted = [];
  }

  /** What was noted, in wire format; undefined where nothing was, or too much. */
  get noted(): readonly Uint8Array[] | undefined {
    return this.#noted;
  }

  /** What was expected is told, and not what came: it may be a file that was never meant for everybody's eyes. */
  leave(place: string, message: string): void {
    this.#left++;
    if (this.#remarks.length < MAX_REMARKS) this.#remarks.push(`${place}: ${message.split(", got ")[0]}`);
  }

  /** Throws where it is none. */
  finish(): ListContent {
    const remarks = [...this.#remarks];
    if (this.#left > this.#taken) {
      throw new Error(`expected names, got ${this.#left} lines that are none, the first at ${remarks[0]}`);
    }
    // A zone may say that it has no name now; a file without any is one that somebody is about to write.
    if (this.#taken === 0 && this.serial === undefined) throw new Error("expected names, got none");
    const serial = this.serial === undefined ? {} : { serial: this.serial };
    return { table: this.#builder.finish(), left: this.#left, remarks, ...serial };
  }

  #changeRecord(place: string, record: RpzRecord, zone: string, by: 1 | -1): void {
    if (isOfZone(record)) return;
    const trigger = triggerOf(record, zone);
    if ("name" in trigger) this.#change(place, trigger.name, false, actionOf(trigger.name, record) === "Pass", by);
    else if (by === 1) this.leave(place, trigger.expected);
    else this.#left = Math.max(0, this.#left - 1);
  }

  #change(place: string, text: string, subdomains: boolean, excepts: boolean, by: 1 | -1): void {
    const wildcard = text.startsWith("*") ? (/^\*{1,2}(\.|$)/.exec(text)?.[0] ?? "") : "";
    const base = text.slice(wildcard.length);
    const expected = this.#name.read(base === "" && wildcard !== "" ? "." : base);
    if (expected !== undefined) {
      this.leave(place, `expected ${expected}`);
      return;
    }
    if (this.#noted !== undefined && this.#noted.push(this.#name.copy()) > MAX_NOTED) this.#noted = undefined;
    this.#taken = Math.max(0, this.#taken + by);
    if (this.#builder.names > MAX_NAMES) throw new Error(`expected at most ${MAX_NAMES} names, got more`);
    // `*` alone is every name, and the root with them.
    if (wildcard === "" || base === "") this.#builder.change(this.#name, { below: false, excepts }, by);
    if (wildcard !== "" || subdomains) this.#builder.change(this.#name, { below: true, excepts }, by);
  }
}
