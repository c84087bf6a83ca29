/**
 * A change of the policy, from what it would do to what came of it.
 */
import { signal } from "@preact/signals";
import type { ApplyDescription } from "../../../extproc/server/admin/status.ts";
import { ApiError, type Ask, ask } from "../api/ask.ts";
import { refreshResources, status } from "../api/service.ts";

/** How it is asked for, without what every change has. */
export interface Change {
  readonly path: string;
  readonly method: "PUT" | "POST" | "DELETE";
  readonly query?: Ask["query"];
  readonly yaml?: string;
  /** Nothing happens unless this version is in force. */
  readonly ifVersion: number;
  /** As "Roll back to version 41". */
  readonly title: string;
}

export interface Review {
  readonly change: Change;
  /** What would be: undefined while the service thinks, and where it refuses. */
  readonly outcome?: ApplyDescription;
  readonly refusal?: ApiError;
}

/** Under review now. */
export const review = signal<Review | undefined>(undefined);
export const busy = signal(false);
/** What came of the last change, for people. */
export const outcome = signal<{ readonly text: string; readonly good: boolean } | undefined>(undefined);

export async function startReview(change: Change): Promise<void> {
  outcome.value = undefined;
  review.value = { change };
  try {
    const described = await run(change, { dryRun: true });
    if (review.value?.change === change) review.value = { change, outcome: described };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (review.value?.change === change) review.value = { change, refusal: error };
  }
}

/** True when it is in force. */
export async function apply(change: Change, reason: string): Promise<boolean> {
  busy.value = true;
  try {
    const { sequence, workers, changed } = await run(change, { reason });
    const behind = workers.behind.length;
    const obeyed = behind === 0 ? `obeyed by ${workers.acknowledged} workers` : `${behind} workers are still behind`;
    const text = changed
      ? `Version ${sequence} is in force, ${obeyed}.`
      : "Only wording has changed: the version stays.";
    outcome.value = { text, good: behind === 0 };
    review.value = undefined;
    await Promise.all([status.refresh(), refreshResources()]);
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    review.value = { change, refusal: error };
    return false;
  } finally {
    busy.value = false;
  }
}

function run({ path, method, query, yaml, ifVersion }: Change, more: Ask["query"]): Promise<ApplyDescription> {
  const body = yaml === undefined ? {} : { yaml };
  return ask<ApplyDescription>(path, { method, query: { ...query, ...more }, ifVersion, ...body });
}
