/**
 * When a secondary asks for its zone again, and for how long the zone holds without an answer (RFC 1034, section 4.3.5):
 * as its SOA says, and at once when a NOTIFY says that there is something new (RFC 1996).
 */
import type { ZoneReference } from "../compiled/zone-reference.ts";
import type { Soa } from "./transfer-message.ts";

/** What a SOA says is obeyed within these bounds, in milliseconds. */
const REFRESH_MS = { least: 10_000, most: 86_400_000 } as const;
const RETRY_MS = { least: 10_000, most: 3_600_000 } as const;

export class ZoneTiming {
  readonly #zone: ZoneReference;
  /** Milliseconds of the wall clock. */
  readonly #now: () => number;
  #soa: Soa | undefined;
  /** When it is asked for again. */
  #due = 0;
  /** When a primary last said that it is so. */
  #confirmed = 0;

  constructor(zone: ZoneReference, now: () => number) {
    this.#zone = zone;
    this.#now = now;
  }

  /** In words. */
  get from(): string {
    const { zone, primaries } = this.#zone;
    return `zone ${zone} of ${primaries.map(({ address, port }) => `${address} port ${port}`).join(", ")}`;
  }

  get isDue(): boolean {
    return this.#now() >= this.#due;
  }

  /** No primary has said for too long that it is so. */
  get isExpired(): boolean {
    return this.#soa !== undefined && this.#now() >= this.#confirmed + this.#soa.expire * 1000;
  }

  /** Whether it is the zone of a NOTIFY from this address; then it is due. */
  notify(zone: string, address: string): boolean {
    if (zone !== this.#zone.zone.toLowerCase() || !this.#zone.primaries.some((one) => one.address === address))
      return false;
    this.#due = 0;
    return true;
  }

  /** It is being asked for: a NOTIFY that comes meanwhile is about something newer, and makes it due again. */
  asking(): void {
    this.#due = Number.POSITIVE_INFINITY;
  }

  succeeded(soa: Soa, confirmed: number): void {
    this.held(soa, confirmed);
    this.#askIn(bounded(soa.refresh, REFRESH_MS));
  }

  failed(): void {
    this.#askIn(bounded(this.#soa?.retry ?? 0, RETRY_MS));
  }

  /** It was here when the service began: what is new since then is asked for at once. */
  held(soa: Soa, confirmed: number): void {
    this.#soa = soa;
    this.#confirmed = confirmed;
  }

  #askIn(wait: number): void {
    this.#due = Math.min(this.#due, this.#now() + wait);
  }
}

/** Of seconds, milliseconds. */
function bounded(seconds: number, { least, most }: { readonly least: number; readonly most: number }): number {
  return Math.min(most, Math.max(least, seconds * 1000));
}
