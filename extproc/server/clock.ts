/**
 * Time, as the service is given it: main.ts passes the machine's (machine-clock.ts), most tests one of their own.
 */
export interface Clock {
  /** Milliseconds of the wall clock. */
  now(): number;
  /** Milliseconds of a clock that only goes forward, with fractions. */
  elapsed(): number;
  /** Runs the task once. Returns how to cancel it. */
  after(milliseconds: number, task: () => void): () => void;
  /** Runs the task again and again. Returns how to end that. */
  every(milliseconds: number, task: () => void): () => void;
}

/** True when the promise came first, false when the time was up. */
export async function within(clock: Clock, milliseconds: number, promise: Promise<unknown>): Promise<boolean> {
  let cancel = (): void => {};
  const late = new Promise<boolean>((resolve) => {
    cancel = clock.after(milliseconds, () => resolve(false));
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    cancel();
  }
}
