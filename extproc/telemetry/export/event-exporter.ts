/**
 * Who is told of every query beside our own page, metrics and logs. Exporters run in the telemetry thread, never wait, and
 * keep no more than a bound: what comes beyond it is lost, and counted.
 */
import type { QueryEvent__Output } from "../../gen/types/dns/mesh/v1/QueryEvent.ts";
import type { Endpoint } from "../../server/endpoint.ts";
import { exportDnstap } from "./dnstap.ts";

export interface EventExporter {
  /** For metrics: one of few words. */
  readonly name: string;
  /** Events that were handed over to the network. */
  readonly sent: number;
  readonly lost: number;
  /** Events of one worker; `node` is its Envoy's. */
  take(events: readonly QueryEvent__Output[], node: string): void;
  /** Resolved when what waits is sent, or cannot be. */
  close(): Promise<void>;
}

/** Who is told, as the thread is given it. */
export interface ExportOptions {
  readonly dnstap?: Endpoint | undefined;
}

/** What an exporter needs of its surroundings. */
export interface ExportContext {
  /** Runs a task later; returns how to cancel it. */
  readonly after: (milliseconds: number, task: () => void) => () => void;
  readonly onTrouble: (message: string) => void;
}

export function openExporters({ dnstap }: ExportOptions, context: ExportContext): EventExporter[] {
  return dnstap === undefined ? [] : [exportDnstap(dnstap, context)];
}
