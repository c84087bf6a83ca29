/**
 * What becomes of one connection, as telemetry counts it: whether it was allowed, and then whether it came about.
 */
export type ConnectionOutcome = "allowed" | "refused" | "would_refuse" | "connected" | "failed";

export interface ConnectionEvent {
  /** metadata.name; empty for a client that is no tenant's. */
  readonly tenant: string;
  readonly outcome: ConnectionOutcome;
  /** The name that allowed it, or that is denied; undefined where no name has the address. */
  readonly name?: string;
  readonly address: string;
  readonly port: number;
  /** Microseconds until it was open. */
  readonly connectUs?: number;
}
