/**
 * What the policy set says of telemetry.
 */
export interface TelemetrySettings {
  /** Of which queries workers send events. */
  readonly events: "All" | "Logged";
  /** Of tenants that want less to be known of them than is usual. */
  readonly tenants: Readonly<Record<string, TenantPrivacy>>;
  /** Milliseconds after its TTL for which an answer allows connections; undefined where nothing asks for that. */
  readonly graceMs?: number;
}

export interface TenantPrivacy {
  /** `Network`: the first 24 bits of an IPv4 address, 56 of an IPv6 address. */
  readonly clients: "Full" | "Network" | "None";
  readonly names: "Full" | "Hashed";
  /** Milliseconds for which queries are kept; 0 is as long as the service keeps any. */
  readonly keepMs: number;
}

/** Undefined for a tenant that wants no less than is usual. */
export function privacyOf({ tenants }: TelemetrySettings, tenant: string): TenantPrivacy | undefined {
  return Object.hasOwn(tenants, tenant) ? tenants[tenant] : undefined;
}

export const USUAL_SETTINGS: TelemetrySettings = { events: "Logged", tenants: {} };
