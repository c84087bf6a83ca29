/**
 * Who runs where: pods by address, and the labels of pods and namespaces. What tenants are matched by.
 */
import { isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";
import type { MeshObject, ObjectOf } from "./object.ts";
import type { MeshObjects, ObjectChange } from "./object-store.ts";

export interface Workload {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** In canonical text; none where it has none yet, or has ended and its addresses may be another's. */
  readonly addresses: readonly string[];
  /** Its addresses are its node's, and so no evidence of who asks. */
  readonly hostNetwork: boolean;
}

export interface NamespaceLabels {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface WorkloadChanges {
  /** Pods that came, went or are no longer what they were: before and after. */
  readonly pods: readonly { readonly before: Workload | undefined; readonly after: Workload | undefined }[];
  /** Names of namespaces that came, went, or have other labels. */
  readonly namespaces: readonly string[];
}

export interface Workloads {
  pods(): Iterable<Workload>;
  namespaces(): Iterable<NamespaceLabels>;
  /** Undefined for a namespace that there is no object of. */
  namespace(name: string): NamespaceLabels | undefined;
  /** Called after changes that make a difference here. Returns how to stop. */
  onChange(listener: (changes: WorkloadChanges) => void): () => void;
}

export function workloadsOf(objects: MeshObjects): Workloads {
  return {
    *pods() {
      for (const pod of objects.list("Pod")) yield toWorkload(pod);
    },
    *namespaces() {
      for (const namespace of objects.list("Namespace")) yield toLabels(namespace);
    },
    namespace(name) {
      const found = objects.get("Namespace", "", name);
      return found === undefined ? undefined : toLabels(found);
    },
    onChange(listener) {
      return objects.onChange((changes) => {
        const pods = changes.flatMap(podChange);
        const namespaces = changes.flatMap(namespaceChange);
        if (pods.length > 0 || namespaces.length > 0) listener({ pods, namespaces });
      });
    },
  };
}

export function toWorkload({ namespace, name, value }: ObjectOf<"Pod">): Workload {
  const { metadata, spec, status } = value;
  const ended = status?.phase === "Succeeded" || status?.phase === "Failed";
  const addresses = ended ? [] : [...(status?.podIPs ?? []).map(({ ip }) => ip), status?.podIP ?? ""];
  return {
    namespace,
    name,
    labels: metadata.labels,
    addresses: [...new Set(addresses.filter((text) => text !== "").map(canonical))],
    hostNetwork: spec?.hostNetwork === true,
  };
}

function toLabels({ name, value }: ObjectOf<"Namespace">): NamespaceLabels {
  // Every namespace has this label in Kubernetes, where the API server sets it.
  return { name, labels: { "kubernetes.io/metadata.name": name, ...value.metadata.labels } };
}

function podChange({ before, after }: ObjectChange): WorkloadChanges["pods"][number][] {
  if (before?.kind !== "Pod" && after?.kind !== "Pod") return [];
  const change = { before: podOf(before), after: podOf(after) };
  return JSON.stringify(change.before) === JSON.stringify(change.after) ? [] : [change];
}

function podOf(object: MeshObject | undefined): Workload | undefined {
  return object?.kind === "Pod" ? toWorkload(object) : undefined;
}

function namespaceChange({ key, before, after }: ObjectChange): string[] {
  if (key.kind !== "Namespace") return [];
  const [old, now] = [before, after].map((one) => (one?.kind === "Namespace" ? toLabels(one) : undefined));
  return JSON.stringify(old) === JSON.stringify(now) ? [] : [key.name];
}

/** Kubernetes lets IPv6 addresses be written in any form. */
export function canonical(text: string): string {
  return isIPv6(text) ? ipaddr.parse(text).toString() : text;
}
