/**
 * What the service and its telemetry thread say to each other.
 */

import type { ClientPod } from "./client-pods.ts";
import type { ConnectionEvent } from "./connection-event.ts";
import type { ExportOptions } from "./export/open-exporters.ts";
import type { StoreOptions } from "./query-store.ts";
import type { QueryFilter, QuestionKind } from "./questions.ts";
import type { TelemetrySettings } from "./settings.ts";

/** What the thread is started with. */
export interface ThreadOptions {
  readonly store?: StoreOptions | undefined;
  readonly exports?: ExportOptions | undefined;
  /** The file of what connections are allowed by. */
  readonly grants?: string | undefined;
  /** The file of what rules have matched. */
  readonly ruleMatches?: string | undefined;
}

export type ToThread =
  | { readonly kind: "take"; readonly id: number; readonly batch: Uint8Array; readonly node: string }
  | { readonly kind: "connection"; readonly event: ConnectionEvent }
  | { readonly kind: "lost"; readonly count: number }
  | { readonly kind: "clients"; readonly clients: readonly ClientPod[] }
  | { readonly kind: "configure"; readonly settings: TelemetrySettings }
  | { readonly kind: "ask"; readonly id: number; readonly question: QuestionKind; readonly asks: object }
  | { readonly kind: "watch"; readonly id: number; readonly filter: QueryFilter }
  | { readonly kind: "unwatch"; readonly id: number }
  | { readonly kind: "close"; readonly id: number };

export type FromThread =
  /** The store is open, or there is none; or why it cannot be opened. */
  | { readonly kind: "ready"; readonly error?: string }
  | { readonly kind: "taken"; readonly id: number; readonly lines: readonly string[] }
  | { readonly kind: "answer"; readonly id: number; readonly answer: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly error: string; readonly noStore: boolean }
  | { readonly kind: "watched"; readonly id: number; readonly queries: readonly string[]; readonly lost: number }
  | { readonly kind: "trouble"; readonly message: string };
