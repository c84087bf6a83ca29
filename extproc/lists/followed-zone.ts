/**
 * A list that is a zone of somebody else's name server, of which this is a secondary.
 */
import type { ListReference } from "../compiled/list-reference.ts";
import type { ZoneReference } from "../compiled/zone-reference.ts";
import type { ZoneOutcome, ZoneRequest, ZoneSuccess } from "../transfer/zone-store.ts";
import { ZoneTiming } from "../transfer/zone-timing.ts";
import { FollowedList, type FollowOptions } from "./followed-list.ts";
import type { ListContent } from "./list-names.ts";

export class FollowedZone extends FollowedList {
  readonly first: Promise<unknown>;
  readonly #zone: ZoneReference;
  #version = 0;
  readonly #timing: ZoneTiming;

  constructor(reference: ListReference, zone: ZoneReference, options: FollowOptions) {
    super(reference, options);
    this.#zone = zone;
    this.#timing = new ZoneTiming(zone, options.now);
    this.first = this.#start();
  }

  get from(): string {
    return this.#timing.from;
  }

  /** Whether it is the zone of a NOTIFY from this address; then it is asked for at once. */
  notify(zone: string, address: string): boolean {
    return this.#timing.notify(zone, address);
  }

  async look(): Promise<boolean> {
    return this.#timing.isDue && this.#refresh();
  }

  /** What was here when the service ended is here at once; what is new since then is asked for at the first look. */
  async #start(): Promise<void> {
    const held = await this.options.reader.restore(this.#request).catch(() => undefined);
    if (held === undefined) {
      await this.#refresh();
      return;
    }
    this.#timing.held(held.soa, held.confirmed);
    this.#take(held);
  }

  get #request(): ZoneRequest {
    return { owner: this.reference.name, zone: this.#zone, serial: this.content?.serial };
  }

  async #refresh(): Promise<boolean> {
    this.#timing.asking();
    const outcome = await this.options.reader
      .refresh(this.#request)
      .catch((error: Error): ZoneOutcome<ListContent> => ({ ok: false, error: error.message }));
    if (!outcome.ok) {
      this.#timing.failed();
      return this.failed(outcome.error);
    }
    this.#timing.succeeded(outcome.soa, outcome.confirmed);
    return this.#take(outcome);
  }

  #take({ soa, content }: ZoneSuccess<ListContent>): boolean {
    if (content === undefined) return this.took(undefined);
    const { changed, ...rest } = content;
    const since = this.content?.table.version;
    const isKnown = changed !== undefined && since !== undefined && changed.since === this.content?.serial;
    const change = isKnown ? { change: { since, names: changed.names } } : {};
    const table = { ...rest.table, version: ++this.#version, ...change };
    return this.took({ ...rest, table, digest: String(soa.serial) });
  }
}
