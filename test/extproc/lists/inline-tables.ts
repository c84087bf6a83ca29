/**
 * The names of lists that have them inline, read at once instead of in a thread.
 */
import assert from "node:assert/strict";
import type { ListReference } from "../../../extproc/compiled/list-reference.ts";
import type { NamedTables } from "../../../extproc/compiled/name-table.ts";
import type { CompiledPolicy } from "../../../extproc/compiled/snapshot.ts";
import { doListJob } from "../../../extproc/lists/list-job.ts";

export function inlineTables({ tables }: CompiledPolicy): NamedTables {
  return new Map(tables.lists.map((reference) => [reference.name, readInline(reference)]));
}

function readInline(reference: ListReference) {
  const outcome = doListJob({ ...reference, names: reference.inline ?? [] });
  assert.ok(outcome.ok, outcome.ok ? "" : outcome.error);
  return outcome.table;
}
