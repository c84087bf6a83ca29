/**
 * How many decisions workers have asked this service for, since it was started.
 */
import type { Stack } from "../e2e/stack.ts";

export async function decisionsMade({ service }: Pick<Stack, "service">): Promise<number> {
  const counts = (await service.metrics()).matchAll(/^dns_decisions_total\{.*\} (\d+)/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}
