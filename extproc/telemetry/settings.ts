/**
 * What the policy set says of telemetry.
 */
export interface TelemetrySettings {
  /** Of which queries workers send events. */
  readonly events: "All" | "Logged";
  /** Of tenants that want less to be known of them than is usual. */
  readonly tenants: Readonly<Record<string, TenantPrivacy>>;
}

export interface TenantPrivacy {
  /** `Network`: the first 24 bits of an IPv4 address, 56 of an IPv6 address. */
  readonly clients: "Full" | "Network" | "None";
  readonly names: "Full" | "Hashed";
  /** Milliseconds for which queries are kept; 0 is as long as the service keeps any. */
  readonly keepMs: number;
}

export const USUAL_SETTINGS: TelemetrySettings = { events: "Logged", tenants: {} };
