/**
 * Parcels to one receiver, one after the other, each until it is taken: tried again with growing pauses. What waits is bounded.
 */
import type { ExportContext } from "./event-exporter.ts";

/** Pauses double from the first to the last, until something is taken. */
const FIRST_PAUSE_MS = 1000;
const LAST_PAUSE_MS = 60_000;
/** For what waits when the service ends. */
const CLOSE_MS = 2000;

export interface Parcel {
  /** How many events it tells of. */
  readonly count: number;
  /** How much of the bound it takes. */
  readonly size: number;
}

export interface DeliveryOptions<P extends Parcel> extends ExportContext {
  /** For people: whose parcel, and what it is. */
  readonly what: string;
  /** Sizes of all that may wait. */
  readonly maxWaiting: number;
  /** Rejects where the parcel is not taken. The signal says that the service ends. */
  readonly attempt: (parcel: P, signal: AbortSignal) => Promise<void>;
  /** Whether a parcel that was tried so often, and then has failed so, is given up. */
  readonly givesUp: (tries: number, error: Error) => boolean;
}

export class Delivery<P extends Parcel> {
  readonly #options: DeliveryOptions<P>;
  readonly #waiting: P[] = [];
  #size = 0;
  /** Ends a pause. */
  #wake = (): void => {};
  /** Ends the try that is under way. */
  readonly #end = new AbortController();
  #working: Promise<void> | undefined;
  #pause = FIRST_PAUSE_MS;
  #inTrouble = false;
  #closed = false;
  sent = 0;
  lost = 0;

  constructor(options: DeliveryOptions<P>) {
    this.#options = options;
  }

  /** Nothing waits. */
  get idle(): boolean {
    return this.#working === undefined;
  }

  send(parcels: readonly P[]): void {
    for (const parcel of parcels) {
      if (this.#closed || this.#size + parcel.size > this.#options.maxWaiting) {
        this.lost += parcel.count;
        continue;
      }
      this.#size += parcel.size;
      this.#waiting.push(parcel);
    }
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  /** What waits is tried once more. */
  async close(): Promise<void> {
    this.#closed = true;
    const cancel = this.#options.after(CLOSE_MS, () => {
      this.#lose();
      this.#end.abort();
    });
    this.#wake();
    await this.#working;
    cancel();
  }

  async #work(): Promise<void> {
    for (let parcel = this.#waiting[0]; parcel !== undefined; parcel = this.#waiting[0]) {
      const taken = await this.#deliver(parcel);
      // While it was under way, all that waits may have been given up.
      if (this.#waiting[0] !== parcel) continue;
      this.#waiting.shift();
      this.#size -= parcel.size;
      if (taken) this.sent += parcel.count;
      else this.lost += parcel.count;
    }
  }

  /** Whether it was taken in the end. */
  async #deliver(parcel: P): Promise<boolean> {
    const { what, attempt, givesUp, onTrouble, random } = this.#options;
    for (let tries = 1; ; tries++) {
      const trouble = await attempt(parcel, this.#end.signal).then(
        () => undefined,
        (error: Error) => error,
      );
      if (trouble === undefined) {
        this.#pause = FIRST_PAUSE_MS;
        this.#inTrouble = false;
        return true;
      }
      if (!this.#inTrouble) onTrouble(`${what} is not taken, trying again: ${trouble.message}`);
      this.#inTrouble = true;
      if (this.#closed || givesUp(tries, trouble)) return false;
      // Of half of it at the least, so that receivers that were away are not asked by all at once.
      await this.#rest(this.#pause * (0.5 + random() / 2));
      this.#pause = Math.min(LAST_PAUSE_MS, 2 * this.#pause);
    }
  }

  async #rest(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.after(milliseconds, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = () => {};
  }

  #lose(): void {
    for (const { count } of this.#waiting.splice(0)) this.lost += count;
  }
}
