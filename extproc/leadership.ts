/**
 * One of several services that leads, by a lease that their store keeps.
 *
 * Who leads takes the lease again every two seconds, and stops to lead by its own clock before anybody else may begin,
 * whether or not it hears from the store.
 */
import type { Clock } from "./server/clock.ts";

/** What only one has at a time. */
export interface Lease {
  /** Has it, or has it still: nobody else does for LEASE_SECONDS from the call on. False where somebody else has it. */
  take(): Promise<boolean>;
  /** Lets another have it at once. */
  release(): Promise<void>;
}

export interface LeadershipOptions {
  readonly lease: Lease;
  readonly clock: Clock;
  readonly onChange: (leads: boolean) => void;
  /** It leads for so long from now on, whatever becomes of the store; called again each time that the lease was taken. */
  readonly onRenewed?: (milliseconds: number) => void;
  /** The store cannot be reached, or refuses; told once until it answers again. */
  readonly onFailed: (error: unknown) => void;
}

export const LEASE_SECONDS = 10;
const RETRY_MS = 2000;
/** After the lease was taken last, counted from before it was asked for. */
const LEAD_MS = 7000;

export class Leadership {
  readonly #options: LeadershipOptions;
  #leads = false;
  #failing = false;
  #closed = false;
  #cancelEnd: () => void = () => {};
  #cancelNext: () => void = () => {};
  #asking: Promise<void> = Promise.resolve();

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  get leads(): boolean {
    return this.#leads;
  }

  start(): void {
    this.#asking = this.#ask().then(() => {
      if (!this.#closed) this.#cancelNext = this.#options.clock.after(RETRY_MS, () => this.start());
    });
  }

  /** Lets another lead at once. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelNext();
    await this.#asking;
    this.#end();
    await this.#options.lease.release().catch(() => {});
  }

  async #ask(): Promise<void> {
    const { lease, clock, onFailed } = this.#options;
    const begun = clock.elapsed();
    try {
      if (!this.#closed && (await lease.take())) this.#lead(begun);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) onFailed(error);
      this.#failing = true;
    }
  }

  #lead(begun: number): void {
    const { clock, onChange, onRenewed } = this.#options;
    this.#cancelEnd();
    const left = begun + LEAD_MS - clock.elapsed();
    if (left <= 0) {
      this.#end();
      return;
    }
    this.#cancelEnd = clock.after(left, () => this.#end());
    onRenewed?.(left);
    if (this.#leads) return;
    this.#leads = true;
    onChange(true);
  }

  #end(): void {
    this.#cancelEnd();
    if (!this.#leads) return;
    this.#leads = false;
    this.#options.onChange(false);
  }
}
