/**
 * Which pods an endpointSelector of Cilium selects. Its labels say where they come from in front (`k8s:app`, `any:app`), and a
 * pod's namespace is one of them.
 */
import type { z } from "zod";
import { labelSelector } from "../resources/label-selector.ts";
import { isMap, listOf } from "./conversion.ts";

export interface PodSelection {
  /** Undefined: every one. */
  readonly namespace: string | undefined;
  /** Undefined: all of them. */
  readonly workloads: z.input<typeof labelSelector> | undefined;
}

const NAMESPACE = "io.kubernetes.pod.namespace";

/** What was expected instead, where it says more than that; `own`: the namespace of a policy that is not for the whole cluster. */
export function readEndpointSelector(selector: unknown, own: string | undefined): PodSelection | string {
  const { matchLabels, matchExpressions } = isMap(selector) ? selector : {};
  const labels: Record<string, unknown> = {};
  let namespace = own;
  for (const [written, value] of Object.entries(isMap(matchLabels) ? matchLabels : {})) {
    const key = bareKey(written);
    if (key === undefined) return `expected labels of pods, got ${written}`;
    if (key !== NAMESPACE) labels[key] = value;
    else if (own === undefined || own === value) namespace = String(value);
    else return `expected pods of namespace ${own}, got those of ${String(value)}`;
  }
  const expressions: unknown[] = [];
  for (const expression of listOf(matchExpressions)) {
    const key = isMap(expression) ? bareKey(String(expression.key)) : undefined;
    if (!isMap(expression) || key === undefined || key === NAMESPACE)
      return `expected labels of pods, got ${JSON.stringify(expression)}`;
    expressions.push({ ...expression, key });
  }
  const bare = {
    ...(Object.keys(labels).length > 0 ? { matchLabels: labels } : {}),
    ...(expressions.length > 0 ? { matchExpressions: expressions } : {}),
  };
  const read = labelSelector.safeParse(bare);
  if (!read.success) return `expected labels as Kubernetes has them: ${read.error.issues[0]?.message}`;
  return { namespace, workloads: Object.keys(bare).length > 0 ? (bare as z.input<typeof labelSelector>) : undefined };
}

/** Undefined for what no pod has as its own label. */
function bareKey(written: string): string | undefined {
  const [, source, key = ""] = /^(?:([a-z0-9]+):)?(.*)$/.exec(written) ?? [];
  if (source !== undefined && source !== "k8s" && source !== "any") return undefined;
  return key.startsWith("io.cilium.k8s.") ? undefined : key;
}
