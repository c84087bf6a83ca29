/**
 * What the mesh has in etcd: objects that were pushed, machines that have registered, and virtual addresses; by a client of the mesh thread's own.
 */
import { Etcd, type EtcdOptions } from "../etcd/etcd.ts";
import { AddressedObjects } from "./addressed-objects.ts";
import { EtcdAddresses } from "./etcd-addresses.ts";
import { EtcdObjects } from "./sources/etcd-objects.ts";
import { EtcdRegistrations } from "./sources/etcd-registrations.ts";
import type { KubernetesOptions, KubernetesSource } from "./sources/kubernetes.ts";
import { MeshSource } from "./sources/mesh-source.ts";

type Surroundings = Pick<KubernetesOptions, "after" | "onProblem">;

export class EtcdMesh {
  readonly source: MeshSource;
  readonly objects: AddressedObjects;
  readonly book: EtcdAddresses;
  readonly registrations: EtcdRegistrations;
  readonly listed: Promise<void>;
  readonly #etcd: Etcd;

  static async open(
    options: EtcdOptions,
    live: KubernetesSource | undefined,
    surroundings: Surroundings,
  ): Promise<EtcdMesh> {
    return new EtcdMesh(await Etcd.open(options), live, surroundings);
  }

  private constructor(etcd: Etcd, live: KubernetesSource | undefined, { after: later, onProblem }: Surroundings) {
    this.#etcd = etcd;
    // Nothing holds this thread when it is to end.
    const after = (milliseconds: number, task: () => void) => {
      later(milliseconds, task);
      return () => {};
    };
    this.source = new MeshSource(new EtcdObjects({ etcd, after, onProblem }), live);
    this.objects = new AddressedObjects(this.source.objects);
    const onFailed = (error: unknown) =>
      onProblem({ err: error }, "virtual addresses in etcd cannot be watched: what is known stays");
    this.book = new EtcdAddresses({ etcd, objects: this.objects, after, onFailed });
    this.registrations = new EtcdRegistrations({ etcd, after, onProblem });
    const all = [this.source.listed, this.book.listed, this.registrations.listed];
    this.listed = Promise.all(all).then(() => {});
  }

  close(): void {
    this.book.close();
    this.#etcd.close();
  }
}
