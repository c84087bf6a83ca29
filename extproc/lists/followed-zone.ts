/**
 * A list that is a zone of somebody else's name server, of which this is a secondary (RFC 1034, section 4.3.5): asked for
 * changes as often as its SOA says, and at once when a NOTIFY says that there are some (RFC 1996).
 */
import type { ListReference, ZoneReference } from "../compiled/list-reference.ts";
import { FollowedList, type FollowOptions } from "./followed-list.ts";
import type { Soa } from "./transfer-message.ts";
import type { ZoneOutcome, ZoneRequest, ZoneSuccess } from "./zone-store.ts";

/** What a SOA says is obeyed within these bounds, in milliseconds. */
const REFRESH_MS = { least: 10_000, most: 86_400_000 } as const;
const RETRY_MS = { least: 10_000, most: 3_600_000 } as const;

export class FollowedZone extends FollowedList {
  readonly first: Promise<unknown>;
  readonly #zone: ZoneReference;
  #soa: Soa | undefined;
  /** When it is asked for again. */
  #due = 0;

  constructor(reference: ListReference, zone: ZoneReference, options: FollowOptions) {
    super(reference, options);
    this.#zone = zone;
    this.first = this.#start();
  }

  get from(): string {
    const { zone, primaries } = this.#zone;
    return `zone ${zone} of ${primaries.map(({ address, port }) => `${address} port ${port}`).join(", ")}`;
  }

  /** Whether it is the zone of a NOTIFY from this address; then it is asked for at once. */
  notify(zone: string, address: string): boolean {
    if (zone !== this.#zone.zone.toLowerCase() || !this.#zone.primaries.some((one) => one.address === address))
      return false;
    this.#due = 0;
    return true;
  }

  async look(): Promise<boolean> {
    return this.options.now() >= this.#due && this.#refresh();
  }

  /** What was here when the service ended is here at once; what is new since then is asked for at the first look. */
  async #start(): Promise<void> {
    const held = await this.options.reader.restore(this.#request).catch(() => undefined);
    if (held === undefined) await this.#refresh();
    else this.#take(held);
  }

  get #request(): ZoneRequest {
    return { list: this.reference.name, zone: this.#zone, serial: this.content?.serial };
  }

  async #refresh(): Promise<boolean> {
    const { reader, now } = this.options;
    // A NOTIFY that comes while this is under way is about something newer, and makes it due again.
    this.#due = Number.POSITIVE_INFINITY;
    const outcome = await reader
      .refresh(this.#request)
      .catch((error: Error): ZoneOutcome => ({ ok: false, error: error.message }));
    const wait = outcome.ok ? bounded(outcome.soa.refresh, REFRESH_MS) : bounded(this.#soa?.retry ?? 0, RETRY_MS);
    this.#due = Math.min(this.#due, now() + wait);
    return outcome.ok ? this.#take(outcome) : this.failed(outcome.error);
  }

  #take({ soa, content }: ZoneSuccess): boolean {
    this.#soa = soa;
    return this.took(content && { ...content, digest: String(soa.serial) });
  }
}

/** Of seconds, milliseconds. */
function bounded(seconds: number, { least, most }: { readonly least: number; readonly most: number }): number {
  return Math.min(most, Math.max(least, seconds * 1000));
}
