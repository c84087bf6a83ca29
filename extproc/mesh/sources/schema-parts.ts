/**
 * What fields of several kinds look like, in their owners' formats.
 */
import { isIP } from "node:net";
import { z } from "zod";
import { parseInterval, parseTtl } from "../../resources/duration.ts";
import { NameSyntaxError, parseName, parsePattern, refuseInternational } from "../../resources/name-pattern.ts";
import { describe } from "../../resources/problem.ts";
import { checkProblem } from "../health/probe.ts";

/** Kubernetes and Istio write what is not there as null, too. */
export function optional<S extends z.ZodType>(schema: S) {
  return schema.nullish().transform((value) => value ?? undefined) as unknown as z.ZodType<
    z.output<S> | undefined,
    z.input<S> | null | undefined
  >;
}

export function list<S extends z.ZodType>(item: S) {
  return z
    .array(item)
    .nullish()
    .transform((value) => value ?? []) as unknown as z.ZodType<z.output<S>[], z.input<S>[] | null | undefined>;
}

/** Checked, and kept as it was written. */
export function checked(check: (text: string) => string | undefined) {
  return z.string().superRefine((text, context) => {
    const expected = check(text);
    if (expected !== undefined)
      context.addIssue({ code: "custom", message: `expected ${expected}, got ${describe(text)}` });
  });
}

export function nameChecked(check: (text: string) => void) {
  return z.string().superRefine((text, context) => {
    try {
      refuseInternational(text);
      check(text);
    } catch (error) {
      if (!(error instanceof NameSyntaxError)) throw error;
      context.addIssue({ code: "custom", message: `expected ${error.message}, in ${describe(text)}` });
    }
  });
}

export const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
export const label = checked((text) =>
  LABEL.test(text) ? undefined : "1 to 63 lower-case letters, digits and dashes, first and last a letter or digit",
);
export const OBJECT_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
export const objectName = checked((text) =>
  OBJECT_NAME.test(text)
    ? undefined
    : "1 to 253 lower-case letters, digits, dashes and dots, first and last a letter or digit",
);
export const address = checked((text) => (isIP(text) === 0 ? "an IPv4 or IPv6 address" : undefined));
export const clusterIP = checked((text) =>
  text === "" || text === "None" || isIP(text) !== 0 ? undefined : "an address, None, or an empty text",
);
/** One name, as an alias has it. */
export const hostName = nameChecked((text) => {
  if (text.startsWith("*")) throw new NameSyntaxError("one name, got a wildcard");
  if (parseName(text).labels.length === 0) throw new NameSyntaxError("a name, got the root");
});
/** A name, or every name below one. */
export const host = nameChecked((text) => {
  const pattern = parsePattern(text);
  if (pattern.labels.length === 0) throw new NameSyntaxError("a name, or *. and one, got neither");
});
/** Of Istio's Gateway: `HOST`, or `NAMESPACE/HOST` for those of one namespace. */
export const gatewayHost = nameChecked((text) => {
  const pattern = parsePattern(text.replace(/^[^/]*\//, ""));
  if (pattern.labels.length === 0 && pattern.extent === "exact") throw new NameSyntaxError("a name, got the root");
});
/** Of a ServiceEntry: an address, or a network, which is no address that a name could have. */
export const hostAddress = checked((text) => {
  const [base = "", length, ...more] = text.split("/");
  const bits = isIP(base) === 4 ? 32 : isIP(base) === 6 ? 128 : 0;
  if (bits === 0 || more.length > 0) return "an address, or one with a prefix length";
  if (length !== undefined && !(/^\d{1,3}$/.test(length) && Number(length) <= bits))
    return `a prefix length of 0 to ${bits}`;
  return undefined;
});
export const portNumber = z.int().min(1).max(65_535);
/** `_name` of an SRV record: IANA_SVC_NAME, or what Istio allows. */
export const PORT_NAME = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
export const portName = checked((text) =>
  text === "" || PORT_NAME.test(text) ? undefined : "letters, digits and dashes, as http-web",
);
export const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {}) as unknown as z.ZodType<
  Record<string, string>,
  Record<string, string> | null | undefined
>;
/** A network endpoint of Istio's: an address, a name, or the path of a socket. */
export const endpointAddress = checked((text) => {
  if (text === "" || text.startsWith("unix://")) return undefined;
  if (isIP(text) !== 0) return undefined;
  try {
    refuseInternational(text);
    parseName(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof NameSyntaxError)) throw error;
    return `an address, or ${error.message}`;
  }
});

/** Annotations that mean something to us. */
const annotationFields = {
  "dns.mesh/ttl": checked((text) => {
    const ttl = parseTtl(text);
    return typeof ttl === "string" ? ttl : undefined;
  }).optional(),
  "networking.istio.io/exportTo": z.string().optional(),
  "dns.mesh/health-check": checked(checkProblem).optional(),
  "dns.mesh/registered-for": checked((text) => {
    const seconds = parseInterval(text);
    return typeof seconds === "string" ? seconds : undefined;
  }).optional(),
};
export const ANNOTATIONS: readonly string[] = Object.keys(annotationFields);
export const annotations = z
  .object(annotationFields)
  .nullish()
  .transform((value) => value ?? {}) as unknown as z.ZodType<
  {
    "dns.mesh/ttl"?: string;
    "networking.istio.io/exportTo"?: string;
    "dns.mesh/health-check"?: string;
    "dns.mesh/registered-for"?: string;
  },
  object | null | undefined
>;

export const metaFields = { labels, annotations };

/** Without a namespace, an object is in `default`, as kubectl has it. */
export const namespace = label.nullish().transform((value) => value ?? "default") as unknown as z.ZodType<
  string,
  string | null | undefined
>;
export const namespacedMeta = z.object({ name: objectName, namespace, ...metaFields });
/** Names of services become labels. */
export const serviceMeta = z.object({ name: label, namespace, ...metaFields });
export const clusterMeta = z.object({ name: objectName, ...metaFields });

export const protocol = z
  .enum(["TCP", "UDP", "SCTP"])
  .nullish()
  .transform((value) => value ?? "TCP") as unknown as z.ZodType<"TCP" | "UDP" | "SCTP", string | null | undefined>;

export const head = { apiVersion: z.string(), kind: z.string() };
