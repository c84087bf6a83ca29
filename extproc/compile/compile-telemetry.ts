/**
 * What the set says of telemetry, for whoever takes down what workers tell.
 */
import type { ConnectionSettings } from "../compiled/snapshot.ts";
import type { Settings } from "../resources/settings-schema.ts";
import type { Tenant } from "../resources/tenant-schema.ts";
import type { TelemetrySettings, TenantTelemetry } from "../telemetry/settings.ts";

const GRACE_MS = 30_000;

/** Without a word of connections, they are nobody's business. */
export function compileConnections(settings: Settings | undefined): ConnectionSettings & { readonly graceMs: number } {
  const { mode, grace } = settings?.spec.connections ?? { mode: "Off" as const, grace: undefined };
  return { mode, graceMs: grace === undefined ? GRACE_MS : grace * 1000 };
}

export function compileTelemetry(tenants: readonly Tenant[], settings: Settings | undefined): TelemetrySettings {
  const entries = tenants.flatMap(({ metadata, spec }): [string, TenantTelemetry][] => {
    const { clients, names, keep = 0, traces = 0 } = spec.telemetry;
    return clients === "Full" && names === "Full" && keep === 0 && traces === 0
      ? []
      : [[metadata.name, { clients, names, keepMs: keep, traces }]];
  });
  const { events = "All" } = settings?.spec.telemetry ?? {};
  const usual = { events, tenants: Object.fromEntries(entries) };
  const { mode, graceMs } = compileConnections(settings);
  // Connections are allowed by answers: the service has to hear of each.
  return mode === "Off" ? usual : { ...usual, events: "All", graceMs };
}
