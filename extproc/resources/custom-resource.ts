/**
 * The kinds as CustomResourceDefinitions of Kubernetes, so that its API can be the store.
 *
 * All but DnsPolicy are of the cluster, as what they say is of all tenants, or of who a tenant is. A DnsPolicy speaks of
 * one tenant, and stands in a namespace of that tenant (Tenant.spec.namespaces): who may write there is RBAC's to say.
 */
import { type Kind, SCHEMAS } from "./schema.ts";
import { API_VERSION } from "./schema-parts.ts";
import { type StructuralSchema, structuralSchema } from "./structural-schema.ts";

interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
}

interface Names {
  readonly plural: string;
  readonly shortNames: readonly string[];
  /** What a person wants to see of it in a list. */
  readonly columns: readonly Column[];
}

const [GROUP = "", VERSION = ""] = API_VERSION.split("/");

const text = (name: string, jsonPath: string): Column => ({ name, type: "string", jsonPath });
const number = (name: string, jsonPath: string): Column => ({ name, type: "integer", jsonPath });
const condition = (type: string) => text(type, `.status.conditions[?(@.type=="${type}")].status`);

const NAMES: Readonly<Record<Kind, Names>> = {
  ClusterDnsPolicy: {
    plural: "clusterdnspolicies",
    shortNames: ["cdnsp"],
    columns: [text("Tier", ".spec.tier"), number("Priority", ".spec.priority")],
  },
  DnsPolicy: {
    plural: "dnspolicies",
    shortNames: ["dnsp"],
    columns: [text("Tenant", ".spec.subject.tenants[0]"), number("Priority", ".spec.priority")],
  },
  MeshSource: { plural: "meshsources", shortNames: ["dnsms"], columns: [] },
  NameList: { plural: "namelists", shortNames: ["dnsl"], columns: [number("Names", ".status.list.names")] },
  Settings: { plural: "settings", shortNames: ["dnsset"], columns: [] },
  Tenant: { plural: "tenants", shortNames: ["dnst"], columns: [text("Upstream", ".spec.upstream")] },
  Upstream: { plural: "upstreams", shortNames: ["dnsup"], columns: [text("Protocol", ".spec.protocol")] },
};

/** `kubectl get dns` lists all of them. */
const CATEGORY = "dns";

const time = { type: "string", format: "date-time" };
const whole = { type: "integer", format: "int64" };

/** Conditions as the Gateway API has them; of a list, what has been read of it. */
const STATUS: StructuralSchema = {
  type: "object",
  properties: {
    observedGeneration: whole,
    conditions: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
      items: {
        type: "object",
        required: ["type", "status", "reason", "message", "lastTransitionTime"],
        properties: {
          type: { type: "string" },
          status: { type: "string", enum: ["True", "False", "Unknown"] },
          reason: { type: "string" },
          message: { type: "string" },
          observedGeneration: whole,
          lastTransitionTime: time,
        },
      },
    },
    list: {
      type: "object",
      "x-kubernetes-preserve-unknown-fields": true,
      properties: { names: whole },
    },
  },
};

export function isNamespaced(kind: Kind): boolean {
  return kind === "DnsPolicy";
}

/** Where the API has them all. */
export function resourcePath(kind: Kind): string {
  return `/apis/${API_VERSION}/${NAMES[kind].plural}`;
}

export function customResources(): readonly object[] {
  return (Object.keys(SCHEMAS) as Kind[]).map((kind) => customResource(kind));
}

function customResource(kind: Kind): object {
  const { plural, shortNames, columns } = NAMES[kind];
  const { properties, ...schema } = structuralSchema(kind);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: isNamespaced(kind) ? "Namespaced" : "Cluster",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames,
        categories: [CATEGORY],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [
            ...columns,
            condition("Accepted"),
            condition("Programmed"),
            { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" } satisfies Column,
          ],
          schema: { openAPIV3Schema: { ...schema, properties: { ...(properties as object), status: STATUS } } },
        },
      ],
    },
  };
}
