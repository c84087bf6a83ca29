/**
 * What the records of a zone become, for whoever has a use for the zone.
 */
import type { TransferRecord } from "./transfer-message.ts";

export interface ZoneRecords<Content> {
  add(record: TransferRecord): void;
  remove(record: TransferRecord): void;
  /** Of the zone as it is now; throws where it is of no use. */
  finish(serial: number): Content;
  /** All of it, for load(): what v8.serialize takes. */
  save(): unknown;
}

export interface ZoneForm<Content> {
  /** Of what is written down: copies of another format are not read. */
  readonly format: string;
  /** `zone` is in presentation format, without a final dot. */
  empty(zone: string): ZoneRecords<Content>;
  load(zone: string, saved: unknown): ZoneRecords<Content>;
}
