/**
 * What the set says of telemetry, for whoever takes down what workers tell.
 */
import type { Settings } from "../resources/settings-schema.ts";
import type { Tenant } from "../resources/tenant-schema.ts";
import type { TelemetrySettings, TenantPrivacy } from "../telemetry/settings.ts";

export function compileTelemetry(tenants: readonly Tenant[], settings: Settings | undefined): TelemetrySettings {
  const entries = tenants.flatMap(({ metadata, spec }): [string, TenantPrivacy][] => {
    const { clients, names, keep = 0 } = spec.telemetry;
    return clients === "Full" && names === "Full" && keep === 0
      ? []
      : [[metadata.name, { clients, names, keepMs: keep }]];
  });
  return { events: settings?.spec.telemetry?.events ?? "All", tenants: Object.fromEntries(entries) };
}
