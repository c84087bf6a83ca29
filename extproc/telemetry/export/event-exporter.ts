/**
 * Who is told of every query beside our own page, metrics and logs. Exporters run in the telemetry thread, never wait, and
 * keep no more than a bound: what comes beyond it is lost, and counted.
 */

import type { QueryEvent__Output } from "../../gen/types/dns/mesh/v1/QueryEvent.ts";
import type { Exemplar } from "../exemplars.ts";
import type { TelemetrySettings } from "../settings.ts";

export interface EventExporter {
  /** For metrics: one of few words. */
  readonly name: string;
  /** Events that were handed over to the network. */
  readonly sent: number;
  readonly lost: number;
  /** Where a single query can be found again. */
  readonly exemplars?: readonly Exemplar[];
  configure?(settings: TelemetrySettings): void;
  /** Events of one worker; `node` is its Envoy's. */
  take(events: readonly QueryEvent__Output[], node: string): void;
  /** Resolved when what waits is sent, or cannot be. */
  close(): Promise<void>;
}

/** What an exporter needs of its surroundings. */
export interface ExportContext {
  /** Milliseconds of the wall clock. */
  readonly now: () => number;
  /** Runs a task later; returns how to cancel it. */
  readonly after: (milliseconds: number, task: () => void) => () => void;
  readonly onTrouble: (message: string) => void;
  /** At least 0, and less than 1. */
  readonly random: () => number;
}
