/**
 * The fields that we use of objects of the mesh, in their owners' formats (Kubernetes v1, discovery.k8s.io/v1, Istio's
 * networking.istio.io). What else an object has is others' business and left out; what is here is checked.
 */
import { isIP } from "node:net";
import { z } from "zod";
import { NameSyntaxError, parsePattern, refuseInternational } from "../../resources/name-pattern.ts";
import { parseAddress } from "../../resources/network.ts";
import { describe } from "../../resources/problem.ts";
import { readTarget } from "./record-target.ts";
import {
  address,
  checked,
  clusterIP,
  clusterMeta,
  endpointAddress,
  gatewayHost,
  head,
  host,
  hostAddress,
  hostName,
  label,
  labels,
  list,
  namespacedMeta,
  objectName,
  optional,
  portName,
  portNumber,
  protocol,
  serviceMeta,
} from "./schema-parts.ts";

export const namespaceSchema = z.object({ ...head, metadata: clusterMeta });

export const nodeSchema = z.object({ ...head, metadata: clusterMeta });

export const podSchema = z.object({
  ...head,
  metadata: namespacedMeta,
  spec: optional(
    z.object({
      hostNetwork: optional(z.boolean()),
      nodeName: optional(z.string()),
      hostname: optional(label),
      subdomain: optional(label),
      serviceAccountName: optional(z.string()),
    }),
  ),
  status: optional(
    z.object({
      phase: optional(z.enum(["Pending", "Running", "Succeeded", "Failed", "Unknown"])),
      podIP: optional(checked((text) => (text === "" || isIP(text) !== 0 ? undefined : "an IPv4 or IPv6 address"))),
      podIPs: list(z.object({ ip: address })),
      conditions: list(z.object({ type: z.string(), status: z.string() })),
    }),
  ),
});

export const serviceSchema = z
  .object({
    ...head,
    metadata: serviceMeta,
    spec: z.object({
      type: optional(z.enum(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"])),
      clusterIP: optional(clusterIP),
      clusterIPs: list(clusterIP),
      externalName: optional(hostName),
      publishNotReadyAddresses: optional(z.boolean()),
      externalIPs: list(address),
      selector: labels,
      ports: list(z.object({ name: optional(portName), port: portNumber, protocol })),
    }),
    status: optional(
      z.object({
        loadBalancer: optional(
          z.object({ ingress: list(z.object({ ip: optional(address), hostname: optional(hostName) })) }),
        ),
      }),
    ),
  })
  .superRefine(({ spec }, context) => {
    if (spec.type === "ExternalName" && spec.externalName === undefined) {
      context.addIssue({
        code: "custom",
        path: ["spec", "externalName"],
        message: "expected a name with type ExternalName, got nothing",
      });
    }
  });

const endpointSchema = z.object({
  addresses: list(z.string()),
  conditions: optional(z.object({ ready: optional(z.boolean()) })),
  hostname: optional(label),
  nodeName: optional(z.string()),
  zone: optional(z.string()),
});

export const endpointSliceSchema = z
  .object({
    ...head,
    metadata: namespacedMeta,
    addressType: z.enum(["IPv4", "IPv6", "FQDN"]),
    endpoints: list(endpointSchema),
    ports: list(z.object({ name: optional(portName), port: optional(portNumber), protocol })),
  })
  .superRefine(({ addressType, endpoints }, context) => {
    if (addressType === "FQDN") return;
    const version = addressType === "IPv4" ? 4 : 6;
    for (const [index, { addresses }] of endpoints.entries()) {
      for (const [place, text] of addresses.entries()) {
        if (isIP(text) === version) continue;
        context.addIssue({
          code: "custom",
          path: ["endpoints", index, "addresses", place],
          message: `expected an ${addressType} address, got ${describe(text)}`,
        });
      }
    }
  });

const workload = {
  address: optional(endpointAddress),
  ports: z
    .record(z.string(), portNumber)
    .nullish()
    .transform((value) => value ?? {}) as unknown as z.ZodType<
    Record<string, number>,
    Record<string, number> | null | undefined
  >,
  labels,
  locality: optional(z.string()),
  serviceAccount: optional(z.string()),
  weight: optional(z.int().min(0)),
};

export const serviceEntrySchema = z.object({
  ...head,
  metadata: namespacedMeta,
  spec: z.object({
    hosts: z.array(host).min(1),
    addresses: list(hostAddress),
    ports: list(
      z.object({
        number: portNumber,
        name: optional(portName),
        protocol: optional(z.string()),
        targetPort: optional(z.int().min(0).max(65_535)),
      }),
    ),
    resolution: optional(z.enum(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"])),
    endpoints: list(z.object(workload)),
    exportTo: list(z.string()),
    workloadSelector: optional(z.object({ labels })),
  }),
  status: optional(z.object({ addresses: list(z.object({ value: address, host: optional(z.string()) })) })),
});

export const workloadEntrySchema = z.object({
  ...head,
  metadata: namespacedMeta,
  spec: z.object(workload),
});

/** `NAMESPACE/HOST`, each of which may be `*`. */
const egressHost = checked((text) => {
  const [namespace = "", name = "", ...more] = text.split("/");
  const isNamespace = /^([*.~]|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)$/.test(namespace);
  if (!isNamespace || name === "" || more.length > 0) return "NAMESPACE/HOST, the namespace a name or one of * . ~";
  if (name === "*") return undefined;
  try {
    refuseInternational(name);
    parsePattern(name);
    return undefined;
  } catch (error) {
    if (!(error instanceof NameSyntaxError)) throw error;
    return `as a host, ${error.message}`;
  }
});

export const sidecarSchema = z.object({
  ...head,
  metadata: namespacedMeta,
  spec: z.object({
    workloadSelector: optional(z.object({ labels })),
    egress: list(z.object({ hosts: z.array(egressHost).min(1) })),
  }),
});

/** Istio's: hosts that its pods, which its selector chooses, take connections for. */
export const istioGatewaySchema = z.object({
  ...head,
  metadata: namespacedMeta,
  spec: z.object({
    selector: labels,
    servers: list(z.object({ hosts: list(gatewayHost) })),
  }),
});

/** gateway.networking.k8s.io. */
export const gatewaySchema = z.object({
  ...head,
  metadata: namespacedMeta,
  spec: z.object({
    listeners: list(z.object({ name: z.string(), hostname: optional(host) })),
  }),
  status: optional(
    z.object({
      addresses: list(z.object({ type: optional(z.string()), value: endpointAddress })),
    }),
  ),
});

const parentRef = z.object({
  group: optional(z.string()),
  kind: optional(z.string()),
  namespace: optional(label),
  name: objectName,
  sectionName: optional(z.string()),
});

export const httpRouteSchema = z.object({
  ...head,
  metadata: namespacedMeta,
  spec: z.object({ hostnames: list(host), parentRefs: list(parentRef) }),
  status: optional(
    z.object({
      parents: list(z.object({ parentRef, conditions: list(z.object({ type: z.string(), status: z.string() })) })),
    }),
  ),
});

/** The Multicluster Services API (KEP-1645): a service of several clusters, as this cluster has it. */
export const serviceImportSchema = z.object({
  ...head,
  metadata: serviceMeta,
  spec: z.object({
    type: z.enum(["ClusterSetIP", "Headless"]),
    ips: list(address),
    ports: list(z.object({ name: optional(portName), port: portNumber, protocol })),
  }),
});

/** externaldns.k8s.io: records as external-dns has them. Those of types that the name table does not have are left out. */
export const dnsEndpointSchema = z.object({
  ...head,
  metadata: namespacedMeta,
  spec: z.object({
    endpoints: list(
      z
        .object({
          dnsName: host,
          recordType: z.string(),
          recordTTL: optional(z.int().min(0)),
          targets: list(z.string()),
        })
        .superRefine(({ recordType, targets }, context) => {
          for (const [index, target] of targets.entries()) {
            const record = readTarget(recordType, target);
            if (typeof record !== "string") continue;
            const message = `expected ${record}, got ${describe(target)}`;
            context.addIssue({ code: "custom", path: ["targets", index], message });
          }
        }),
    ),
  }),
});

export const OBJECT_SCHEMAS = {
  EndpointSlice: endpointSliceSchema,
  Namespace: namespaceSchema,
  Node: nodeSchema,
  Pod: podSchema,
  Service: serviceSchema,
  ServiceEntry: serviceEntrySchema,
  WorkloadEntry: workloadEntrySchema,
  Sidecar: sidecarSchema,
  IstioGateway: istioGatewaySchema,
  Gateway: gatewaySchema,
  HTTPRoute: httpRouteSchema,
  ServiceImport: serviceImportSchema,
  DNSEndpoint: dnsEndpointSchema,
} as const;

export type ObjectKind = keyof typeof OBJECT_SCHEMAS;
/** An object in its owner's format, with the fields that are used, and no others. */
export type ObjectValue<K extends ObjectKind = ObjectKind> = z.output<(typeof OBJECT_SCHEMAS)[K]>;

/** Octets of an address that a schema has let through. */
export function toOctets(text: string): Uint8Array {
  const octets = parseAddress(text);
  if (typeof octets === "string") throw new Error(`expected a checked address, got ${text}`);
  return octets;
}
