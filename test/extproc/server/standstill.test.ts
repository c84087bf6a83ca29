import assert from "node:assert/strict";
import { watchStandstill } from "../../../extproc/server/standstill.ts";
import { FakeClock } from "./fake-clock.ts";

describe("a service that stood still", () => {
  it("is well again two seconds after it goes on", () => {
    const clock = new FakeClock();
    let stopped = 0;
    const told: string[] = [];
    // While it is stopped, time passes and no timer runs.
    const stoppable = { ...bound(clock), elapsed: () => clock.elapsed() + stopped };
    const stop = watchStandstill(stoppable, {
      onStandstill: () => told.push("still"),
      onCaughtUp: () => told.push("well"),
    });
    clock.advance(10_000);
    assert.deepEqual(told, []);
    stopped = 1900;
    clock.advance(1000);
    stopped += 2100;
    clock.advance(1000);
    assert.deepEqual(told, ["still"]);
    clock.advance(1900);
    assert.deepEqual(told, ["still"]);
    clock.advance(100);
    assert.deepEqual(told, ["still", "well"]);
    stopped += 9000;
    clock.advance(1000);
    stop();
    clock.advance(5000);
    assert.deepEqual(told, ["still", "well", "still"]);
  });
});

function bound(clock: FakeClock) {
  return {
    now: () => clock.now(),
    after: (milliseconds: number, task: () => void) => clock.after(milliseconds, task),
    every: (milliseconds: number, task: () => void) => clock.every(milliseconds, task),
  };
}
