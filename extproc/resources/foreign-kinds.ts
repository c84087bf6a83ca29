/**
 * Kinds of others that may stand beside ours in a file: objects of the mesh, in their owners' formats. They are no
 * part of the policy and of its versions; the room mesh/sources reads them.
 */

export interface ForeignKind {
  readonly apiVersions: readonly string[];
  readonly namespaced: boolean;
}

const ISTIO = ["networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"];

export const FOREIGN_KINDS = {
  Namespace: { apiVersions: ["v1"], namespaced: false },
  Node: { apiVersions: ["v1"], namespaced: false },
  Pod: { apiVersions: ["v1"], namespaced: true },
  Service: { apiVersions: ["v1"], namespaced: true },
  EndpointSlice: { apiVersions: ["discovery.k8s.io/v1"], namespaced: true },
  ServiceEntry: { apiVersions: ISTIO, namespaced: true },
  WorkloadEntry: { apiVersions: ISTIO, namespaced: true },
} as const satisfies Record<string, ForeignKind>;

export type ForeignKindName = keyof typeof FOREIGN_KINDS;

export function isForeignKind(kind: string): kind is ForeignKindName {
  return Object.hasOwn(FOREIGN_KINDS, kind);
}

/** What `kubectl get -o yaml` prints of several objects: a List of any, or one of a kind. */
export function isForeignList(value: unknown): boolean {
  const { apiVersion, kind } = headOf(value);
  if (typeof kind !== "string" || !kind.endsWith("List")) return false;
  const member = kind.slice(0, -"List".length);
  return isForeignGroup(apiVersion) && (member === "" || isForeignKind(member));
}

/** Whether a document is for the room mesh/sources, be it right or wrong. */
export function isForeign(value: unknown): boolean {
  return isForeignGroup(headOf(value).apiVersion);
}

function isForeignGroup(apiVersion: unknown): boolean {
  return typeof apiVersion === "string" && /^(v1$|discovery\.k8s\.io\/|networking\.istio\.io\/)/.test(apiVersion);
}

function headOf(value: unknown): { readonly apiVersion?: unknown; readonly kind?: unknown } {
  return typeof value === "object" && value !== null ? value : {};
}

/** A quick look at a text that is most likely without any. */
export function mayHaveForeign(text: string): boolean {
  return /apiVersion["']?\s*:\s*["']?(v1|discovery\.k8s\.io\/|networking\.istio\.io\/)/.test(text);
}
