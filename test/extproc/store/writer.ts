/**
 * A process that writes a store as fast as it can, until it is killed: says each sequence number when apply()
 * returned it. The set of sequence n denies for n seconds.
 */
import { startCompiler } from "../../../extproc/compile-thread/compiler.ts";
import { openStore } from "../../../extproc/store/store.ts";
import { countingSet } from "./counting-set.ts";

const store = await openStore({ directory: process.argv[2] ?? "", compiler: startCompiler(), now: Date.now });
for (;;) {
  const result = await store.apply({ upsert: [{ name: "x", text: countingSet(store.current().sequence + 1) }] });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  process.stdout.write(`${result.version.sequence}\n`);
}
