/**
 * Kinds of others that may stand beside ours in a file: objects of the mesh, in their owners' formats. They are no
 * part of the policy and of its versions; the room mesh/sources reads them.
 */

export interface ForeignKind {
  readonly apiVersions: readonly string[];
  readonly namespaced: boolean;
  /** As its owner calls it, where two owners have one word. */
  readonly kind?: string;
}

const ISTIO = ["networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"];

const GATEWAY_API = ["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"];
const EXTERNAL_DNS = ["externaldns.k8s.io/v1alpha1"];
const MULTICLUSTER = ["multicluster.x-k8s.io/v1alpha1", "multicluster.x-k8s.io/v1beta1"];

export const FOREIGN_KINDS = {
  Namespace: { apiVersions: ["v1"], namespaced: false },
  Node: { apiVersions: ["v1"], namespaced: false },
  Pod: { apiVersions: ["v1"], namespaced: true },
  Service: { apiVersions: ["v1"], namespaced: true },
  EndpointSlice: { apiVersions: ["discovery.k8s.io/v1"], namespaced: true },
  ServiceEntry: { apiVersions: ISTIO, namespaced: true },
  WorkloadEntry: { apiVersions: ISTIO, namespaced: true },
  Sidecar: { apiVersions: ISTIO, namespaced: true },
  IstioGateway: { apiVersions: ISTIO, namespaced: true, kind: "Gateway" },
  Gateway: { apiVersions: GATEWAY_API, namespaced: true },
  HTTPRoute: { apiVersions: GATEWAY_API, namespaced: true },
  ServiceImport: { apiVersions: MULTICLUSTER, namespaced: true },
  DNSEndpoint: { apiVersions: EXTERNAL_DNS, namespaced: true },
} as const satisfies Record<string, ForeignKind>;

const GROUPS = String.raw`(discovery\.k8s|networking\.istio|gateway\.networking\.k8s|multicluster\.x-k8s|externaldns\.k8s)\.io\/`;
const FOREIGN_GROUP = new RegExp(`^(v1$|${GROUPS})`);
const FOREIGN_HEAD = new RegExp(String.raw`apiVersion["']?\s*:\s*["']?(v1|${GROUPS})`);

export type ForeignKindName = keyof typeof FOREIGN_KINDS;

export function isForeignKind(kind: string): kind is ForeignKindName {
  return Object.hasOwn(FOREIGN_KINDS, kind);
}

/** As its owner calls it. */
export function wordOf(kind: ForeignKindName): string {
  const { kind: word = kind }: ForeignKind = FOREIGN_KINDS[kind];
  return word;
}

/** Of what an object says of itself; undefined for one of none that is used. */
export function foreignKindOf(apiVersion: unknown, word: unknown): ForeignKindName | undefined {
  const kinds = Object.keys(FOREIGN_KINDS) as ForeignKindName[];
  return kinds.find((kind) => {
    const { apiVersions }: ForeignKind = FOREIGN_KINDS[kind];
    return wordOf(kind) === word && apiVersions.includes(apiVersion as string);
  });
}

/** What `kubectl get -o yaml` prints of several objects: a List of any, or one of a kind. */
export function isForeignList(value: unknown): boolean {
  const { apiVersion, kind } = headOf(value);
  if (typeof kind !== "string" || !kind.endsWith("List")) return false;
  const member = kind.slice(0, -"List".length);
  return isForeignGroup(apiVersion) && (member === "" || foreignKindOf(apiVersion, member) !== undefined);
}

/** Whether a document is for the room mesh/sources, be it right or wrong. */
export function isForeign(value: unknown): boolean {
  return isForeignGroup(headOf(value).apiVersion);
}

function isForeignGroup(apiVersion: unknown): boolean {
  return typeof apiVersion === "string" && FOREIGN_GROUP.test(apiVersion);
}

function headOf(value: unknown): { readonly apiVersion?: unknown; readonly kind?: unknown } {
  return typeof value === "object" && value !== null ? value : {};
}

/** A quick look at a text that is most likely without any. */
export function mayHaveForeign(text: string): boolean {
  return FOREIGN_HEAD.test(text);
}
