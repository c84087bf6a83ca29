/**
 * What a set would be after a change, with the names of its lists; nothing comes of it.
 */
import type { Change, Refused, Source } from "../compile/change.ts";
import type { Compiler } from "../compile-thread/compiler.ts";
import { loadSnapshot, type Snapshot } from "../compiled/snapshot.ts";
import type { ListSource } from "../lists/list-source.ts";
import type { Imagined } from "./policy-source.ts";

export async function imagine(
  { compiler, lists }: { readonly compiler: Compiler; readonly lists: ListSource },
  base: Source,
  change: Change,
  inForce: Snapshot | undefined,
): Promise<Imagined | Refused> {
  const result = await compiler.compile([base], change);
  if (!result.ok) return result;
  const { tables } = await lists.prepare(result.policy.tables.lists);
  lists.follow(inForce?.tables.lists ?? []);
  return { ok: true, snapshot: loadSnapshot(result.policy, 0, tables), text: result.text };
}
