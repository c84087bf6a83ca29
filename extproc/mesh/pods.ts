/**
 * Which pod has an address: the evidence by which tenants and policies know clients by namespaces and labels.
 */
import { readAddress } from "../compiled/networks.ts";
import { presentAddress } from "../dns/address.ts";
import type { MeshObjects } from "./sources/object-store.ts";
import { canonical, type Workload, workloadsOf } from "./sources/workloads.ts";

export interface Pods {
  /** Undefined for an address that no pod has, or several have: then nobody knows who asks. */
  at(address: Uint8Array): Workload | undefined;
  /** Of one pod or of several. */
  addresses(): Iterable<string>;
  close(): void;
}

/** Calls `changed` after a change of who is at these addresses. */
export function podsOf(objects: MeshObjects, changed: (addresses: readonly string[]) => void): Pods {
  const workloads = workloadsOf(objects);
  const byAddress = new Map<string, Workload[]>();
  const add = (pod: Workload) => {
    for (const address of evidenceOf(pod)) byAddress.set(address, [...(byAddress.get(address) ?? []), pod]);
  };
  const remove = (pod: Workload) => {
    for (const address of evidenceOf(pod)) {
      const left = (byAddress.get(address) ?? []).filter((one) => !isSame(one, pod));
      if (left.length > 0) byAddress.set(address, left);
      else byAddress.delete(address);
    }
  };
  for (const pod of workloads.pods()) add(pod);
  const stop = workloads.onChange(({ pods }) => {
    for (const { before, after } of pods) {
      if (before !== undefined) remove(before);
      if (after !== undefined) add(after);
    }
    const addresses = pods.flatMap(({ before, after }) =>
      [before, after].flatMap((pod) => (pod ? evidenceOf(pod) : [])),
    );
    if (addresses.length > 0) changed([...new Set(addresses)]);
  });
  return {
    at(octets) {
      const mapped = octets.length === 16 && readAddress(octets)?.lead !== 0;
      const found = byAddress.get(canonical(presentAddress(mapped ? octets.subarray(12) : octets))) ?? [];
      return found.length === 1 ? found[0] : undefined;
    },
    addresses: () => byAddress.keys(),
    close: stop,
  };
}

/** Addresses that are this pod's alone: those of its node tell nothing. */
function evidenceOf({ addresses, hostNetwork }: Workload): readonly string[] {
  return hostNetwork ? [] : addresses;
}

function isSame(a: Workload, b: Workload): boolean {
  return a.namespace === b.namespace && a.name === b.name;
}
