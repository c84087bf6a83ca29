/**
 * Istio's Sidecars that are a namespace's: what its workloads may reach, and so whose names its tenants have. Those with a
 * workloadSelector are some workloads' alone, and are passed by.
 */
import type { ObjectOf } from "../sources/object.ts";
import type { MeshObjects } from "../sources/object-store.ts";
import type { Group } from "./contribution.ts";

/** Whose Sidecar is that of all namespaces that have none. */
const ROOT_NAMESPACE = "istio-system";

interface Egress {
  /** `*`: of every namespace. */
  readonly namespace: string;
  /** `*`: every host. */
  readonly host: string;
}

export class Sidecars {
  readonly #byNamespace = new Map<string, readonly Egress[]>();
  /** Hosts that some Sidecar tells from others: names are kept apart by which of them they are among. */
  readonly hosts: readonly string[];

  constructor(objects: MeshObjects) {
    for (const sidecar of objects.list("Sidecar")) {
      const { workloadSelector, egress } = sidecar.value.spec;
      if (Object.keys(workloadSelector?.labels ?? {}).length > 0 || egress.length === 0) continue;
      this.#byNamespace.set(sidecar.namespace, egressOf(sidecar));
    }
    const hosts = [...this.#byNamespace.values()].flat().map(({ host }) => host);
    this.hosts = [...new Set(hosts)].filter((host) => host !== "*").sort();
  }

  /** Of `hosts`, those that cover a host. */
  facetsOf(host: string): readonly string[] {
    return this.hosts.filter((pattern) => covers(pattern, host));
  }

  /** Whether a Sidecar of one of these namespaces lets names of the group through; one without any lets all. */
  admits(own: readonly string[], { namespace, facets = [] }: Group): boolean {
    if (this.#byNamespace.size === 0 || own.length === 0) return true;
    return own.some((asking) => {
      const egress = this.#byNamespace.get(asking) ?? this.#byNamespace.get(ROOT_NAMESPACE);
      if (egress === undefined) return true;
      return egress.some(
        (one) =>
          ["*", namespace, ...(namespace === asking ? ["."] : [])].includes(one.namespace) &&
          (one.host === "*" || facets.includes(one.host)),
      );
    });
  }
}

/** `NAMESPACE/HOST`, in which `.` is the Sidecar's own namespace, `~` none, and `*` every one. */
function egressOf({ value }: ObjectOf<"Sidecar">): readonly Egress[] {
  return value.spec.egress.flatMap(({ hosts }) =>
    hosts.map((text) => {
      const slash = text.indexOf("/");
      return { namespace: text.slice(0, slash), host: text.slice(slash + 1).toLowerCase() };
    }),
  );
}

function covers(pattern: string, host: string): boolean {
  return pattern === host || (pattern.startsWith("*.") && host.endsWith(pattern.slice(1)));
}
