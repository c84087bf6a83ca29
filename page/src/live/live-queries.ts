/**
 * Queries as they come: held apart until the next beat, parsed there some at a time, and the last thousands kept. While
 * one looks closer nothing moves, and what comes is counted.
 */
import { signal } from "@preact/signals";
import type { QueryFilter, QueryRecord } from "../../../extproc/telemetry/questions.ts";
import { ApiError, send } from "../api/ask.ts";
import { readEvents, type ServerEvent } from "../api/event-stream.ts";
import type { ListedQueries, ListedQuery } from "./listed-queries.ts";

/** What a list shows. */
const KEPT = 5000;
/** Nobody reads what changes more often; and so many at a time are more than the service lets through. */
const BEAT_MS = 100;
const PARSED_PER_BEAT = 250;
const RECONNECT_MS = 2000;

export class LiveQueries implements ListedQueries {
  readonly changes = signal(0);
  readonly connected = signal(false);
  /** Why nothing comes; empty when all is well. */
  readonly trouble = signal("");
  readonly paused = signal(false);
  /** Since it was paused. */
  readonly newer = signal(0);
  /** Left out by the service, or here, because there were too many. */
  readonly lost = signal(0);
  /** Of the last second that was told of. */
  readonly rate = signal(0);
  readonly #stop = new AbortController();
  /** Newest last. */
  #queries: ListedQuery[] = [];
  /** What is shown while it is paused. */
  #held: readonly ListedQuery[] | undefined;
  #waiting: string[] = [];
  #beat: ReturnType<typeof setTimeout> | undefined;
  #lastBeat = 0;
  #count = 0;
  #second = { began: performance.now(), count: 0 };

  constructor(filter: QueryFilter) {
    void this.#follow(filter);
  }

  get count(): number {
    return this.#shown.length;
  }

  at(place: number): ListedQuery | undefined {
    const shown = this.#shown;
    return shown[shown.length - 1 - place];
  }

  placeOf(query: ListedQuery): number {
    const index = this.#shown.findLastIndex(({ number }) => number === query.number);
    return index < 0 ? -1 : this.#shown.length - 1 - index;
  }

  pause(): void {
    if (this.paused.peek()) return;
    this.#held = this.#queries.slice(-KEPT);
    this.newer.value = 0;
    this.paused.value = true;
  }

  resume(): void {
    this.#held = undefined;
    this.newer.value = 0;
    this.paused.value = false;
    this.changes.value++;
  }

  close(): void {
    this.#stop.abort();
    clearTimeout(this.#beat);
  }

  get #shown(): readonly ListedQuery[] {
    return this.#held ?? this.#queries;
  }

  async #follow(filter: QueryFilter): Promise<void> {
    const { signal } = this.#stop;
    try {
      const response = await send("/v1/telemetry/events", { query: { ...filter }, signal });
      this.connected.value = true;
      this.trouble.value = "";
      if (response.body !== null) for await (const events of readEvents(response.body)) this.#take(events);
      this.trouble.value = "the policy service has ended the stream";
    } catch (error) {
      if (signal.aborted) return;
      this.trouble.value = error instanceof ApiError ? error.message : "the stream was cut";
      // What is refused once is refused again.
      if (error instanceof ApiError && error.status !== 0) return;
    } finally {
      this.connected.value = false;
    }
    setTimeout(() => {
      if (!signal.aborted) void this.#follow(filter);
    }, RECONNECT_MS);
  }

  #take(events: readonly ServerEvent[]): void {
    for (const { event, data } of events) {
      if (event === "query") this.#waiting.push(data);
      else if (event === "lost") this.lost.value += (JSON.parse(data) as { readonly lost: number }).lost;
    }
    // A tab that nobody looks at has no frames.
    const over = this.#waiting.length - KEPT;
    if (over > 0) {
      this.#waiting = this.#waiting.slice(over);
      this.lost.value += over;
    }
    this.#measure(events.length);
    this.#schedule();
  }

  #schedule(): void {
    const wait = Math.max(0, this.#lastBeat + BEAT_MS - performance.now());
    this.#beat ??= setTimeout(() => requestAnimationFrame(() => this.#parse()), wait);
  }

  #parse(): void {
    this.#beat = undefined;
    this.#lastBeat = performance.now();
    const texts = this.#waiting.splice(0, PARSED_PER_BEAT);
    // Workers tell of what they have answered, each in the order of its answers.
    const records = texts.map((text) => JSON.parse(text) as QueryRecord).sort(byTime);
    for (const record of records) this.#queries.push({ ...record, number: this.#count++ });
    if (this.#queries.length > 2 * KEPT) this.#queries = this.#queries.slice(-KEPT);
    if (this.#waiting.length > 0) this.#schedule();
    if (this.#held === undefined) this.changes.value++;
    else this.newer.value += texts.length;
  }

  /** Batches come about once a second. */
  #measure(count: number): void {
    const second = this.#second;
    second.count += count;
    const elapsed = performance.now() - second.began;
    if (elapsed < 1000) return;
    this.rate.value = (second.count * 1000) / elapsed;
    this.#second = { began: performance.now(), count: 0 };
  }
}

/** Times of one form, in UTC, are in the order of their letters. */
function byTime(a: QueryRecord, b: QueryRecord): number {
  return a.time < b.time ? -1 : a.time > b.time ? 1 : 0;
}
