/**
 * The telemetry thread's main module: batches of events and questions in, lines and answers out.
 */
import { parentPort, workerData } from "node:worker_threads";
import { TelemetryEngine } from "./engine.ts";
import type { ExportContext } from "./export/event-exporter.ts";
import { openExporters } from "./export/open-exporters.ts";
import { GrantJournal } from "./grant-journal.ts";
import { QueryStore } from "./query-store.ts";
import { NoStoreError } from "./questions.ts";
import { RuleMemory } from "./rule-memory.ts";
import type { FromThread, ThreadOptions, ToThread } from "./thread-messages.ts";

const FLUSH_MS = 500;
const EXPIRE_MS = 60_000;

const { store: storeOptions, exports = {}, grants, ruleMatches } = workerData as ThreadOptions;
const watches = new Map<number, () => void>();

function tell(message: FromThread): void {
  parentPort?.postMessage(message);
}

const surroundings: ExportContext = {
  now: Date.now,
  after: (milliseconds, task) => {
    const timer = setTimeout(task, milliseconds);
    return () => clearTimeout(timer);
  },
  onTrouble: (message) => tell({ kind: "trouble", message }),
  random: Math.random,
};

function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

try {
  const store = storeOptions === undefined ? undefined : await QueryStore.open(storeOptions);
  const grantJournal = grants === undefined ? undefined : GrantJournal.open(grants);
  const ruleMemory = ruleMatches === undefined ? undefined : openRuleMemory(ruleMatches);
  const exporters = await openExporters(exports, surroundings);
  run(new TelemetryEngine({ now: Date.now, store, grantJournal, ruleMemory, exporters }));
  tell({ kind: "ready" });
} catch (error) {
  tell({ kind: "ready", error: explain(error) });
}

/** What cannot be read is begun anew: nothing depends on it but what lint has to say. */
function openRuleMemory(path: string) {
  const memory = new RuleMemory(path);
  try {
    return { memory, kept: memory.read() };
  } catch (error) {
    tell({ kind: "trouble", message: `what rules have matched is counted anew: ${explain(error)}` });
    return { memory, kept: undefined };
  }
}

function run(engine: TelemetryEngine): void {
  const attempt = (what: string, task: () => void) => {
    try {
      task();
    } catch (error) {
      tell({ kind: "trouble", message: `${what}: ${explain(error)}` });
    }
  };
  setInterval(() => attempt("what is to be kept of queries cannot be written", () => engine.flush()), FLUSH_MS);
  setInterval(() => attempt("what rules have matched cannot be kept", () => engine.remember()), EXPIRE_MS);
  setInterval(() => {
    engine
      .expire()
      .catch((error: unknown) => tell({ kind: "trouble", message: `old queries stay: ${explain(error)}` }));
  }, EXPIRE_MS);
  parentPort?.on("message", (message: ToThread) => {
    switch (message.kind) {
      case "take": {
        let lines: readonly string[] = [];
        attempt("a batch of events is lost", () => {
          lines = engine.take(message.batch, message.node);
        });
        tell({ kind: "taken", id: message.id, lines });
        return;
      }
      case "connection":
        engine.connection(message.event);
        return;
      case "lost":
        engine.lost(message.count);
        return;
      case "clients":
        engine.clients(message.clients);
        return;
      case "configure":
        engine.configure(message.settings);
        return;
      case "ask":
        engine.ask(message.question, message.asks as never).then(
          (answer) => tell({ kind: "answer", id: message.id, answer }),
          (error: unknown) => {
            const noStore = error instanceof NoStoreError;
            tell({ kind: "failed", id: message.id, error: explain(error), noStore });
          },
        );
        return;
      case "watch": {
        const { id } = message;
        const listener = (queries: readonly string[], lost: number) => tell({ kind: "watched", id, queries, lost });
        attempt("a filter of live queries", () => watches.set(id, engine.watch(message.filter, listener)));
        return;
      }
      case "unwatch":
        watches.get(message.id)?.();
        watches.delete(message.id);
        return;
      case "close":
        engine
          .close()
          .catch((error: unknown) => tell({ kind: "trouble", message: `not all is written: ${explain(error)}` }))
          .then(() => tell({ kind: "answer", id: message.id, answer: undefined }));
    }
  });
}
