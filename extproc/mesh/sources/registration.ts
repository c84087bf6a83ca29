/**
 * What a machine says of itself when it registers as an endpoint of a ServiceEntry, and the WorkloadEntry that it is then.
 */
import { z } from "zod";
import { parseInterval } from "../../resources/duration.ts";
import { parsed } from "../../resources/field.ts";
import { checkProblem } from "../health/probe.ts";
import { type ObjectOf, toObject } from "./object.ts";
import { workloadEntrySchema } from "./schema.ts";
import { address, checked, label, objectName, portName, portNumber } from "./schema-parts.ts";

const MAX_LABELS = 64;
const MAX_PORTS = 64;
/** Seconds: a beat a third of that later must have had time to come. */
const MIN_TTL = 3;

const text = checked((value) => (value.length <= 253 ? undefined : "at most 253 characters"));

export const registrationRequest = z.strictObject({
  /** The name of a ServiceEntry of the same namespace that chooses workloads by labels. */
  service: objectName,
  address,
  ports: z
    .record(portName, portNumber)
    .refine((ports) => Object.keys(ports).length <= MAX_PORTS, {
      error: `expected at most ${MAX_PORTS} ports, got more`,
    })
    .default({}),
  /** Beside those that the ServiceEntry asks for. */
  labels: z
    .record(text, text)
    .refine((labels) => Object.keys(labels).length <= MAX_LABELS, {
      error: `expected at most ${MAX_LABELS} labels, got more`,
    })
    .default({}),
  /** Istio's, REGION/ZONE. */
  locality: text.optional(),
  serviceAccount: label.optional(),
  /** How to look whether it is well, as the annotation dns.mesh/health-check says it. */
  check: checked(checkProblem).optional(),
  /** Without a beat for so long, it is gone. */
  ttl: parsed((value) => {
    const seconds = parseInterval(value);
    return typeof seconds === "number" && seconds < MIN_TTL ? `${MIN_TTL}s to 1h` : seconds;
  }).prefault("30s"),
});

export type RegistrationRequest = z.input<typeof registrationRequest>;
export type Registration = z.output<typeof registrationRequest>;

/** How long a registered WorkloadEntry holds without a beat. */
export const TTL_ANNOTATION = "dns.mesh/registered-for";

export function toWorkloadEntry(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  { address: at, ports, labels, locality, serviceAccount, check, ttl }: Registration,
  selector: Readonly<Record<string, string>>,
): ObjectOf<"WorkloadEntry"> {
  const value = workloadEntrySchema.parse({
    apiVersion: "networking.istio.io/v1",
    kind: "WorkloadEntry",
    metadata: { namespace, name, annotations: { [TTL_ANNOTATION]: `${ttl}s`, "dns.mesh/health-check": check } },
    spec: { address: at, ports, labels: { ...labels, ...selector }, locality, serviceAccount },
  });
  return toObject("WorkloadEntry", value) as ObjectOf<"WorkloadEntry">;
}

/** Seconds; undefined for an entry that nobody has registered. */
export function ttlOfRegistration({ value }: ObjectOf<"WorkloadEntry">): number | undefined {
  const seconds = parseInterval(value.metadata.annotations[TTL_ANNOTATION] ?? "");
  return typeof seconds === "number" ? seconds : undefined;
}
