/**
 * Waiting in tests: for a promise with a deadline, or until a condition holds. Nobody sleeps for a time that hopes.
 */
import { setTimeout as pause } from "node:timers/promises";

export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}

/** The promise's value, or a TimeoutError that says what was waited for. */
export async function within<T>(milliseconds: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeoutError(`${what}: nothing within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again until there is a value; an error of the last try is part of the complaint. */
export async function eventually<T>(
  milliseconds: number,
  what: string,
  attempt: () => Promise<T | undefined | false> | T | undefined | false,
  everyMs = 25,
): Promise<T> {
  const end = Date.now() + milliseconds;
  let last: unknown;
  for (;;) {
    try {
      const value = await attempt();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= end) {
      const why = last instanceof Error ? `: ${last.message}` : "";
      throw new TimeoutError(`${what}: not within ${milliseconds} ms${why}`);
    }
    await pause(everyMs);
  }
}
