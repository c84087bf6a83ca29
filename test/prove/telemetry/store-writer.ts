/**
 * Writes to the store that is named, as the service's thread does, and says how far it has come, until it is killed.
 */
import { QueryStore } from "../../../extproc/telemetry/query-store.ts";
import { readEvents } from "../../extproc/telemetry/events.ts";
import { SampleEvents } from "./sample-events.ts";

/** That many rows were given to the store at that moment (Date.now). */
export interface Written {
  readonly count: number;
  readonly at: number;
}

const EVERY_MS = 10;
const FLUSH_MS = 500;

const store = await QueryStore.open({ path: process.argv[2] ?? "", keepMs: 1e12, maxBytes: 1e12 });
const sample = new SampleEvents({ start: Date.now(), perSecond: 50_000, logged: "All" });
let count = 0;
setInterval(() => {
  const events = readEvents(sample.batch());
  for (const event of events) store.append(event);
  count += events.length;
  process.send?.({ count, at: Date.now() } satisfies Written);
}, EVERY_MS);
setInterval(() => store.flush(), FLUSH_MS);
