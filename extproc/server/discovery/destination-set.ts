/**
 * The destinations of virtual addresses, as Envoys that ask for them shall have them.
 */
import type { EncodedDestination } from "../../mesh/egress/destination-resources.ts";
import type { DestinationChange } from "../../mesh/egress/told-destinations.ts";
import { pack } from "../../messages/protos.ts";
import { CLUSTER_TYPE } from "./cluster-resource.ts";
import type { Resource } from "./resource.ts";

const CLUSTER_URL = `type.googleapis.com/${CLUSTER_TYPE}`;

/**
 * Behind a cluster: it is not waited for until its names are known. So an Envoy has it that starts: it asks itself, and
 * answers only when its clusters are ready. One that takes another's place is waited for, or nobody would reach it meanwhile.
 */
const AT_ONCE = pack(CLUSTER_TYPE, { wait_for_warm_on_init: { value: false } }).value;

export class DestinationSet {
  readonly #all = new Map<string, EncodedDestination>();
  #told: readonly EncodedDestination[] | undefined;
  /** Gone, and maybe in use by an Envoy that has not been told yet. */
  readonly #retired = new Map<string, EncodedDestination>();
  #clashes: readonly string[] = [];

  /** False until the mesh has told what there is. */
  get isKnown(): boolean {
    return this.#told !== undefined;
  }

  change({ set, gone }: DestinationChange): void {
    for (const id of gone) {
      const destination = this.#all.get(id);
      if (destination !== undefined) this.#retired.set(id, destination);
      this.#all.delete(id);
    }
    for (const destination of set) {
      this.#all.set(destination.id, destination);
      this.#retired.delete(destination.id);
    }
    const taken = new Set<string>();
    const clashes: string[] = [];
    // In an order that is the same for all services and after a restart.
    const sorted = [...this.#all.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#told = sorted.filter(({ id, places }) => {
      const isFree = !places.some((place) => taken.has(place));
      if (isFree) for (const place of places) taken.add(place);
      else clashes.push(id);
      return isFree;
    });
    this.#clashes = clashes;
  }

  /** Those whose address and port are another's, whose id is before theirs. */
  get clashes(): readonly string[] {
    return this.#clashes;
  }

  /** Drops what is gone. Returns whether there was anything. */
  retire(): boolean {
    const some = this.#retired.size > 0;
    this.#retired.clear();
    return some;
  }

  /** Those that are gone, too. */
  all(): ReadonlySet<EncodedDestination> {
    return new Set([...(this.#told ?? []), ...this.#retired.values()]);
  }

  /** Of all; `atOnce`: those that an Envoy does not wait for. */
  clusters(atOnce: ReadonlySet<EncodedDestination>): readonly Resource[] {
    return [...this.all()].map((destination) => ({
      type_url: CLUSTER_URL,
      value: atOnce.has(destination) ? Buffer.concat([destination.cluster, AT_ONCE]) : destination.cluster,
    }));
  }

  chains(): readonly Uint8Array[] {
    return (this.#told ?? []).map(({ chain }) => chain);
  }
}
