/**
 * A service that was stopped, or had no processor, for seconds: Envoys that have another have left it. What has changed
 * meanwhile has to be read before it is taken for well again; its timers run before it answers anybody.
 */
import type { Clock } from "./clock.ts";

export interface StandstillListener {
  onStandstill(): void;
  onCaughtUp(): void;
}

const LOOK_MS = 1000;
const STANDSTILL_MS = 3000;
const CATCH_UP_MS = 2000;

/** Returns how to stop. */
export function watchStandstill(clock: Clock, { onStandstill, onCaughtUp }: StandstillListener): () => void {
  let lookedAt = clock.elapsed();
  let cancel = (): void => {};
  const stop = clock.every(LOOK_MS, () => {
    const now = clock.elapsed();
    const stoodStill = now - lookedAt > STANDSTILL_MS;
    lookedAt = now;
    if (!stoodStill) return;
    cancel();
    onStandstill();
    cancel = clock.after(CATCH_UP_MS, onCaughtUp);
  });
  return () => {
    stop();
    cancel();
  };
}
