/** Queries that are listed; they may become more, and move on. */
import type { ReadonlySignal } from "@preact/signals";
import type { QueryRecord } from "../../../extproc/telemetry/questions.ts";

export interface ListedQuery extends QueryRecord {
  /** In the order in which they came. */
  readonly number: number;
}

export interface ListedQueries {
  /** Grows with every change of what is shown. */
  readonly changes: ReadonlySignal<number>;
  readonly paused: ReadonlySignal<boolean>;
  readonly count: number;
  /** 0 is the newest. */
  at(place: number): ListedQuery | undefined;
  /** -1 when it is no longer there. */
  placeOf(query: ListedQuery): number;
  pause(): void;
}
