/** Opens a store, and says what came of it: for a test of two processes. */
import { QueryStore } from "../../../extproc/telemetry/query-store.ts";

const [path = ""] = process.argv.slice(2);
QueryStore.open({ path, keepMs: 1, maxBytes: 1 }).then(
  () => process.send?.("opened"),
  (error: Error) => process.send?.(error.message),
);
