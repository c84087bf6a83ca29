/**
 * What a query costs Envoy, in microseconds of CPU: the least of several rounds, since whatever else a machine does makes
 * them dearer.
 */
import { setTimeout as pause } from "node:timers/promises";
import { cpuMicroseconds } from "../../bench/server.ts";
import type { Stack } from "../e2e/stack.ts";
import { Load, type LoadOptions } from "./load.ts";

const QUERIES_PER_SECOND = 4000;
const ROUND_MS = 3000;
const WARM_UP_MS = 1000;

export async function costOfQueries(
  stack: Stack,
  load: Pick<LoadOptions, "from" | "names" | "onAnswer">,
  rounds = 4,
): Promise<number> {
  const ask = async (ms: number) => {
    const asking = await Load.start({ server: stack.ask.at("udp"), rate: QUERIES_PER_SECOND, ...load });
    await pause(ms);
    return asking.stop();
  };
  await ask(WARM_UP_MS);
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = cpuMicroseconds(stack.envoy.pid);
    const { answered } = await ask(ROUND_MS);
    least = Math.min(least, (cpuMicroseconds(stack.envoy.pid) - before) / answered);
  }
  return least;
}
