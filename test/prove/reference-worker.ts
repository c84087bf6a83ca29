/**
 * A thread of the proof `reference`: lots of sets in, what was found out, one after the other.
 */
import { parentPort } from "node:worker_threads";
import { checkSets, type SetsToCheck } from "../extproc/decide/check-sets.ts";

parentPort?.on("message", (lot: SetsToCheck) => parentPort?.postMessage(checkSets(lot)));
