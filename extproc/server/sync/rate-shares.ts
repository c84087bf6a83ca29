/**
 * Rates that several workers count: each meter's rate is divided among the workers that use it, by what they need. What
 * nobody needs is for all of them, and a worker that is nearly idle keeps a part that it can begin with.
 *
 * Only what workers have told of late is known here; it is gone with the service, and is told again within a second.
 */
import type { MeterShare } from "../../gen/types/dns/mesh/v1/MeterShare.ts";
import type { MeterUse__Output } from "../../gen/types/dns/mesh/v1/MeterUse.ts";
import type { Clock } from "../clock.ts";

/** What comes within so many milliseconds is divided at once. */
const GATHER_MS = 100;
/** A worker tells every second of what it uses: after this it uses nothing. */
const IDLE_MS = 2500;
/** As the filter's: a share that is not renewed holds for so long. */
const FORGOTTEN_MS = 10_000;
/** What an idle worker has, if all of them have no more than half. */
const FLOOR = 0.05;
/** As sync.proto has it: more are not read. */
const MAX_USES = 256;
/** Clients and rules beyond these are counted by each worker for itself. */
const MAX_METERS = 50_000;
const THOUSAND = 1000;
const MILLION = 1_000_000;

interface Use {
  /** Of the meter's rate: 1 is all of it. */
  readonly load: number;
  readonly at: number;
}

interface Meter {
  readonly name: Omit<MeterShare, "share">;
  readonly uses: Map<ShareHolder, Use>;
}

/** A worker's stream. */
export interface ShareHolder {
  sendMeterShares(shares: readonly MeterShare[]): void;
}

export class RateShares {
  /** What workers of this service have of each rate: the rest is for those of others. */
  part = 1;
  readonly #clock: Clock;
  readonly #meters = new Map<string, Meter>();
  readonly #told = new Set<Meter>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many meters are known. */
  get size(): number {
    return this.#meters.size;
  }

  used(worker: ShareHolder, uses: readonly MeterUse__Output[]): void {
    const at = this.#clock.now();
    if (this.#told.size === 0) this.#clock.after(GATHER_MS, () => this.#divide());
    for (const use of uses.slice(0, MAX_USES)) {
      const meter = this.#meter(use);
      if (meter === undefined) continue;
      meter.uses.set(worker, { load: use.load / THOUSAND, at });
      this.#told.add(meter);
    }
  }

  left(worker: ShareHolder): void {
    for (const meter of this.#meters.values()) meter.uses.delete(worker);
  }

  /** Forgets what nobody has used of late. */
  expire(): void {
    const limit = this.#clock.now() - FORGOTTEN_MS;
    for (const [key, { uses }] of this.#meters) {
      for (const [worker, { at }] of uses) if (at < limit) uses.delete(worker);
      if (uses.size === 0) this.#meters.delete(key);
    }
  }

  #meter({ id, client_high, client_low }: MeterUse__Output): Meter | undefined {
    const key = `${id} ${client_high} ${client_low}`;
    const known = this.#meters.get(key);
    if (known !== undefined || this.#meters.size >= MAX_METERS) return known;
    const meter = { name: { id, client_high, client_low }, uses: new Map() };
    this.#meters.set(key, meter);
    return meter;
  }

  #divide(): void {
    const idleSince = this.#clock.now() - IDLE_MS;
    const shares = new Map<ShareHolder, MeterShare[]>();
    for (const { name, uses } of this.#told) {
      const workers = [...uses.keys()];
      const needs = [...uses.values()].map(({ load, at }) => (at < idleSince ? 0 : load / this.part));
      const divided = divideByNeed(needs);
      for (const [index, worker] of workers.entries()) {
        const share = Math.max(1, Math.round((divided[index] ?? 0) * this.part * MILLION));
        const own = shares.get(worker);
        if (own === undefined) shares.set(worker, [{ ...name, share }]);
        else own.push({ ...name, share });
      }
    }
    this.#told.clear();
    for (const [worker, own] of shares) worker.sendMeterShares(own);
  }
}

/** Shares of 1, max-min fair: nobody gets less for the sake of one who needs more. */
export function divideByNeed(needs: readonly number[]): readonly number[] {
  const floor = Math.min(FLOOR, 1 / (2 * needs.length));
  const shares = needs.map(() => floor);
  let left = 1 - floor * needs.length;
  const byNeed = [...needs.keys()].sort((a, b) => (needs[a] ?? 0) - (needs[b] ?? 0));
  for (const [served, index] of byNeed.entries()) {
    const wanted = Math.max(0, (needs[index] ?? 0) - floor);
    const got = Math.min(wanted, left / (needs.length - served));
    shares[index] = floor + got;
    left -= got;
  }
  return shares.map((share) => share + left / needs.length);
}
