/**
 * What every view wants to know: who I am, which policy is in force, and its resources.
 */
import { computed, effect, signal } from "@preact/signals";
import type { Caller } from "../../../extproc/server/admin/caller.ts";
import type { StatusDescription } from "../../../extproc/server/admin/status.ts";
import type { ObservedResource } from "../../../extproc/server/resource-status.ts";
import { ask, token } from "./ask.ts";
import { follow } from "./follow.ts";

export const status = follow<StatusDescription>("/v1/status", 2000);

export const caller = signal<Caller | undefined>(undefined);
effect(() => {
  void token.value;
  ask<Caller>("/v1/caller").then(
    (known) => {
      caller.value = known;
    },
    () => {
      caller.value = undefined;
    },
  );
});
export const mayEdit = computed(() => caller.value !== undefined && caller.value.role !== "viewer");
export const mayRollBack = computed(() => caller.value?.role === "admin");

interface Resources {
  readonly sequence: number;
  readonly resources: readonly ObservedResource[];
}

export const resources = signal<Resources | undefined>(undefined);

export async function refreshResources(): Promise<void> {
  resources.value = await ask<Resources>("/v1/resources");
}

// Asked for again when the version changes, and while some worker is behind: conditions come of that.
const wanted = computed(() => {
  const now = status.value.value;
  return now === undefined ? "" : `${now.sequence} ${now.hash} ${now.pending.length} ${now.workers.connected}`;
});
effect(() => {
  if (wanted.value !== "") void refreshResources().catch(() => {});
});
