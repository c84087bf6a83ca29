/**
 * Which pods are meant: those of some namespaces, with some labels.
 */
import { type LabelSelector, type Labels, selectsLabels } from "../resources/label-selector.ts";

/** What is known of the pod that has a client's address. */
export interface Pod {
  readonly namespace: string;
  readonly labels: Labels;
}

/** Undefined: any. */
export interface PodSelector {
  readonly namespaces: readonly string[] | undefined;
  readonly labels: LabelSelector | undefined;
}

/** Pods that are a tenant's, where the client also shows one of the server names and paths. */
export interface TenantPods extends PodSelector {
  readonly tenant: number;
  /** Who is one of them without a principal is nobody. */
  readonly requiresPrincipal: boolean;
  readonly serverNames: readonly string[] | undefined;
  readonly paths: readonly string[] | undefined;
}

export interface PodTables {
  readonly tenants: readonly TenantPods[];
  /** By their numbers in conditions. */
  readonly selectors: readonly PodSelector[];
}

export function selectsPod({ namespaces, labels }: PodSelector, pod: Pod): boolean {
  return (namespaces?.includes(pod.namespace) ?? true) && (labels === undefined || selectsLabels(labels, pod.labels));
}

/** Whether anything is said of pods, so that each address is a client of its own. */
export function asksForPods({ tenants, selectors }: PodTables): boolean {
  return tenants.length + selectors.length > 0;
}
