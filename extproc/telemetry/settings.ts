/**
 * What the policy set says of telemetry.
 */
export interface TelemetrySettings {
  /** Of which queries workers send events. */
  readonly events: "All" | "Logged";
  /** Of tenants that want something else than is usual. */
  readonly tenants: Readonly<Record<string, TenantTelemetry>>;
  /** Milliseconds after its TTL for which an answer allows connections; undefined where nothing asks for that. */
  readonly graceMs?: number;
}

export interface TenantTelemetry {
  /** `Network`: the first 24 bits of an IPv4 address, 56 of an IPv6 address. */
  readonly clients: "Full" | "Network" | "None";
  readonly names: "Full" | "Hashed";
  /** Milliseconds for which queries are kept; 0 is as long as the service keeps any. */
  readonly keepMs: number;
  /** Of a hundred queries, how many are traced. */
  readonly traces?: number;
}

/** Undefined for a tenant that wants what is usual. */
export function telemetryOf({ tenants }: TelemetrySettings, tenant: string): TenantTelemetry | undefined {
  return Object.hasOwn(tenants, tenant) ? tenants[tenant] : undefined;
}

export const USUAL_SETTINGS: TelemetrySettings = { events: "Logged", tenants: {} };
