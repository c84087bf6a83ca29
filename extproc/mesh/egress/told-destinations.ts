/**
 * What has been told of destinations, and what has changed since: nothing is kept, or made, until somebody wants to know.
 */
import type { Destination } from "./destination.ts";
import { type EncodedDestination, encodeDestination } from "./destination-resources.ts";

export interface DestinationChange {
  readonly set: readonly EncodedDestination[];
  /** Ids of those that are there no more. */
  readonly gone: readonly string[];
}

export type DestinationListener = (change: DestinationChange) => void;

export class ToldDestinations {
  /** The destinations of a ServiceEntry, `NAMESPACE/NAME`; none for one that is not there. */
  readonly #destinationsOf: (entry: string) => readonly Destination[];
  #listener: DestinationListener | undefined;
  #changed = new Set<string>();
  /** By entry, the ids of its destinations, and what was said of each. */
  readonly #told = new Map<string, ReadonlyMap<string, string>>();
  #begun = false;

  constructor(destinationsOf: (entry: string) => readonly Destination[]) {
    this.#destinationsOf = destinationsOf;
  }

  /** Whether there is something to tell. */
  get isDue(): boolean {
    return this.#listener !== undefined && (this.#changed.size > 0 || !this.#begun);
  }

  /** From now on; `entries` are all that there are. */
  begin(listener: DestinationListener, entries: Iterable<string>): void {
    this.#listener = listener;
    for (const entry of entries) this.#changed.add(entry);
  }

  /** The entry is another than it was, or is gone. */
  entryChanged(entry: string): void {
    if (this.#listener !== undefined) this.#changed.add(entry);
  }

  tell(): void {
    if (!this.isDue) return;
    const set: EncodedDestination[] = [];
    const gone: string[] = [];
    for (const entry of this.#changed) {
      const before = this.#told.get(entry) ?? NOTHING;
      const now = new Map<string, string>();
      for (const destination of this.#destinationsOf(entry)) {
        const text = JSON.stringify(destination);
        now.set(destination.id, text);
        if (before.get(destination.id) !== text) set.push(encodeDestination(destination));
      }
      for (const id of before.keys()) if (!now.has(id)) gone.push(id);
      if (now.size > 0) this.#told.set(entry, now);
      else this.#told.delete(entry);
    }
    this.#changed = new Set();
    // The first time, that there is nothing is news, too.
    if (!this.#begun || set.length > 0 || gone.length > 0) this.#listener?.({ set, gone });
    this.#begun = true;
  }
}

const NOTHING: ReadonlyMap<string, string> = new Map();
