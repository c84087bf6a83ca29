/**
 * Keys of etcd that begin alike: listed once, and watched from then on. Where etcd has forgotten what was to be told
 * (compaction) they are listed anew, where it cannot be reached they are asked for again; what is known stays until then.
 */
import type { Etcd, KeyEvent, KeyValue } from "./etcd.ts";

export interface KeyWatchOptions {
  readonly folder: string;
  /** Returns how to cancel it. */
  readonly after: (milliseconds: number, task: () => void) => () => void;
  /** What is there now, and keys that are there no more: all there is at first, and then what changes. */
  readonly onChange: (set: readonly KeyValue[], gone: readonly string[]) => void;
  /** etcd cannot be reached, or refuses: told once, until it answers again. */
  readonly onFailed: (error: unknown) => void;
  readonly onRestored?: () => void;
}

const RETRY_MS = 1000;
/** What was written must be told here by then. */
const REACHED_MS = 5000;

interface Waiting {
  readonly revision: bigint;
  readonly resolve: () => void;
}

export class KeyWatch {
  readonly #etcd: Etcd;
  readonly #options: KeyWatchOptions;
  /** Resolved when everything has been told once. */
  readonly listed: Promise<void>;
  #markListed: () => void = () => {};
  readonly #known = new Set<string>();
  #revision = 0n;
  #waiting: readonly Waiting[] = [];
  #closed = false;
  #failing = false;
  #end: () => void = () => {};
  #cancelRetry: () => void = () => {};

  constructor(etcd: Etcd, options: KeyWatchOptions) {
    this.#etcd = etcd;
    this.#options = options;
    this.listed = new Promise((resolve) => {
      this.#markListed = resolve;
    });
    void this.#list();
  }

  /** Resolved when what that revision wrote has been told; or when that takes too long. */
  reached(revision: string): Promise<void> {
    const wanted = BigInt(revision);
    if (this.#closed || this.#revision >= wanted) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#options.after(REACHED_MS, resolve);
      this.#waiting = [
        ...this.#waiting,
        {
          revision: wanted,
          resolve: () => {
            cancel();
            resolve();
          },
        },
      ];
    });
  }

  close(): void {
    this.#closed = true;
    this.#end();
    this.#cancelRetry();
    for (const { resolve } of this.#waiting) resolve();
  }

  async #list(): Promise<void> {
    if (this.#closed) return;
    try {
      const { items, revision } = await this.#etcd.list(this.#options.folder);
      if (this.#closed) return;
      const gone = new Set(this.#known);
      for (const { key } of items) {
        gone.delete(key);
        this.#known.add(key);
      }
      for (const key of gone) this.#known.delete(key);
      this.#tell(items, [...gone], revision);
      this.#markListed();
      this.#follow();
    } catch (error) {
      this.#failed(error, () => void this.#list());
    }
  }

  #follow(): void {
    if (this.#closed) return;
    this.#end = this.#etcd.watch(this.#options.folder, `${this.#revision + 1n}`, {
      onOpen: (revision) => {
        if (this.#failing) this.#options.onRestored?.();
        this.#failing = false;
        // Of an etcd that was made anew: it would tell nothing until it has come so far again.
        if (BigInt(revision) >= this.#revision) return;
        this.#end();
        void this.#list();
      },
      onEvents: (events, revision) => this.#take(events, revision),
      onEnd: ({ compacted, error }) => {
        if (compacted) void this.#list();
        else this.#failed(error, () => void this.#followAgain());
      },
    });
  }

  /** The token of a user may have ended: a request asks for another, a watch does not. */
  async #followAgain(): Promise<void> {
    try {
      await this.#etcd.get(this.#options.folder);
      this.#follow();
    } catch (error) {
      this.#failed(error, () => void this.#followAgain());
    }
  }

  /** Of one key, the last counts. */
  #take(events: readonly KeyEvent[], revision: string): void {
    const last = new Map(events.map(({ key, value }) => [key, value]));
    const set: KeyValue[] = [];
    const gone: string[] = [];
    for (const [key, value] of last) {
      if (value === undefined) {
        this.#known.delete(key);
        gone.push(key);
      } else {
        this.#known.add(key);
        set.push(value);
      }
    }
    this.#tell(set, gone, revision);
  }

  #tell(set: readonly KeyValue[], gone: readonly string[], revision: string): void {
    this.#options.onChange(set, gone);
    this.#revision = BigInt(revision);
    for (const { revision: wanted, resolve } of this.#waiting) if (wanted <= this.#revision) resolve();
    this.#waiting = this.#waiting.filter(({ revision: wanted }) => wanted > this.#revision);
  }

  #failed(error: unknown, again: () => void): void {
    if (this.#closed) return;
    if (!this.#failing) this.#options.onFailed(error);
    this.#failing = true;
    this.#cancelRetry = this.#options.after(RETRY_MS, again);
  }
}
