/**
 * Queries of the store, newest first, some at a time.
 */
import { signal } from "@preact/signals";
import type { QueryFilter, QueryPage } from "../../../extproc/telemetry/questions.ts";
import { ApiError, ask } from "../api/ask.ts";
import type { ListedQueries, ListedQuery } from "./listed-queries.ts";

const PAGE = 500;

export class PastQueries implements ListedQueries {
  readonly changes = signal(0);
  /** Nothing moves by itself. */
  readonly paused = signal(true);
  /** Why nothing comes; empty when all is well. */
  readonly trouble = signal("");
  readonly asking = signal(false);
  /** Whether there are older ones. */
  readonly hasMore = signal(false);
  readonly #asks: Readonly<Record<string, string | number>>;
  readonly #stop = new AbortController();
  readonly #queries: ListedQuery[] = [];
  #cursor: string | undefined;

  /** `since`: as the API takes it, `24h`. */
  constructor(filter: QueryFilter, since: string) {
    this.#asks = { ...filter, since, limit: PAGE };
    void this.more();
  }

  get count(): number {
    return this.#queries.length;
  }

  at(place: number): ListedQuery | undefined {
    return this.#queries[place];
  }

  placeOf({ number }: ListedQuery): number {
    return number < this.#queries.length ? number : -1;
  }

  pause(): void {}

  close(): void {
    this.#stop.abort();
  }

  async more(): Promise<void> {
    if (this.asking.peek()) return;
    this.asking.value = true;
    const { signal } = this.#stop;
    try {
      const query = { ...this.#asks, cursor: this.#cursor };
      const { queries, next } = await ask<QueryPage>("/v1/telemetry/queries", { query, signal });
      for (const each of queries) this.#queries.push({ ...each, number: this.#queries.length });
      this.#cursor = next;
      this.hasMore.value = next !== undefined;
      this.trouble.value = "";
      this.changes.value++;
    } catch (error) {
      if (!signal.aborted) this.trouble.value = error instanceof ApiError ? error.message : String(error);
    }
    this.asking.value = false;
  }
}
