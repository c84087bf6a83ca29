/** What holds for all tenants: the one Settings. */

import { z } from "zod";
import { admission } from "./admission.ts";
import { delay, httpUrl, interval, network, resourceName, ttl, window, zone } from "./field.ts";
import { guards } from "./guards-schema.ts";
import { response } from "./response-schema.ts";
import { fail, list, resource } from "./schema-parts.ts";

/** metadata.name of the one Settings resource. */
export const SETTINGS_NAME = "default";

/** Milliseconds that are left of a decision's 200 for the rest of it. */
const MAX_POINT_TIMEOUT = 150;
const pointTimeout = delay.superRefine((milliseconds, context) => {
  if (milliseconds <= MAX_POINT_TIMEOUT) return;
  fail(context, [], `expected at most ${MAX_POINT_TIMEOUT}ms, got ${milliseconds}ms`);
});

const MIN_VIRTUAL = { ipv4: 30, ipv6: 112 } as const;
/** Those of Istio. */
export const USUAL_VIRTUAL = { ipv4: "240.240.0.0/16", ipv6: "2001:2::/48" } as const;

const virtualRange = (family: 4 | 6, usual: string) =>
  network.prefault(usual).superRefine((range, context) => {
    const longest = family === 4 ? MIN_VIRTUAL.ipv4 : MIN_VIRTUAL.ipv6;
    if (range.family === family && range.length <= longest) return;
    context.addIssue({
      code: "custom",
      message: `expected an IPv${family} block of at most /${longest}, got ${range.text}`,
    });
  });

/** Of endpoints that say how (dns.mesh/health-check); usual values are those of Kubernetes' readiness probes. */
const healthChecks = z.strictObject({
  interval: interval.prefault("10s"),
  timeout: window.prefault("1s"),
  /** Looks in a row. */
  unhealthyAfter: z.int().min(1).max(100).default(3),
  healthyAfter: z.int().min(1).max(100).default(1),
});

const mesh = z.strictObject({
  healthChecks: healthChecks.optional(),
  clusterDomain: zone.optional(),
  ttl: ttl.optional(),
  virtualAddresses: z
    .strictObject({ ipv4: virtualRange(4, USUAL_VIRTUAL.ipv4), ipv6: virtualRange(6, USUAL_VIRTUAL.ipv6) })
    .optional(),
});

/** What Envoys that ask are told of connections to addresses that no answer had. */
const connections = z.strictObject({
  /** Audit: let through, and told of. */
  mode: z.enum(["Enforce", "Audit", "Off"]).default("Enforce"),
  /** How much longer than the answer's TTL; by default 30s. */
  grace: ttl.optional(),
});

/** Who decides where a rule leaves it to somebody else: by the REST API of Open Policy Agent. */
const decisionPoint = z.strictObject({
  name: resourceName,
  /** Of a document of its data, as http://127.0.0.1:8181/v1/data/dns/decision. */
  url: httpUrl,
  /** By default 100ms; a decision has 200 ms in all. */
  timeout: pointTimeout.optional(),
});

const decisionPoints = list(decisionPoint).superRefine((points, context) => {
  const names = points.map(({ name }) => name);
  for (const [index, name] of names.entries()) {
    const first = names.indexOf(name);
    if (first === index) continue;
    fail(context, [index, "name"], `expected a name of its own, got "${name}", which that of ${first} has`);
  }
});

const settingsSpec = z.strictObject({
  decisionPoints: decisionPoints.optional(),
  telemetry: z
    .strictObject({
      /** Whether workers tell of every query, or of those alone that the query log has. */
      events: z.enum(["All", "Logged"]).default("All"),
    })
    .optional(),
  mesh: mesh.optional(),
  connections: connections.optional(),
  guards: guards.optional(),
  unknownClient: z
    .strictObject({ action: z.literal("Deny").default("Deny"), response: response.optional() })
    .optional(),
});

const settingsFields = resource("Settings", settingsSpec).superRefine((settings, context) => {
  if (settings.metadata.name !== SETTINGS_NAME) {
    fail(
      context,
      ["metadata", "name"],
      `expected "${SETTINGS_NAME}", got "${settings.metadata.name}": there is one Settings`,
    );
  }
});

export const settingsSchema = admission(settingsFields, {
  rule: `self.metadata.name == "${SETTINGS_NAME}"`,
  message: `expected metadata.name "${SETTINGS_NAME}": there is one Settings`,
});

export type DecisionPoint = z.output<typeof decisionPoint>;
export type Settings = z.output<typeof settingsSchema>;
