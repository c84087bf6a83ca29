/**
 * The mesh on the thread of whoever asks: for tests, and inside the thread that the service gives it.
 */

import type { EtcdOptions } from "../etcd/etcd.ts";
import type { ServiceMessage } from "../gen/types/dns/mesh/v1/ServiceMessage.ts";
import { KubernetesApi } from "../kubernetes/api.ts";
import { messageType } from "../messages/protos.ts";
import type { AddressBook } from "./address-book.ts";
import { Catalogs } from "./catalogs/catalogs.ts";
import type { DestinationListener } from "./egress/told-destinations.ts";
import { EtcdMesh } from "./etcd-mesh.ts";
import type { MeshChannel, MeshUpdateMessage } from "./feed.ts";
import { HealthChecks } from "./health/health-checks.ts";
import { probe } from "./health/probe.ts";
import { Mesh } from "./mesh.ts";
import type {
  MadeChange,
  MeshMember,
  MeshQuestion,
  MeshQuestions,
  MeshRoom,
  MeshStatus,
  WorkerChannel,
} from "./mesh-room.ts";
import { SharedAddresses } from "./shared-addresses.ts";
import { type KubernetesOptions, type KubernetesSource, watchKubernetes } from "./sources/kubernetes.ts";
import { LocalRegistrations } from "./sources/local-registrations.ts";
import { MergedObjects } from "./sources/merged-objects.ts";
import { MeshSource, toListed } from "./sources/mesh-source.ts";
import { type AllObjects, type MeshObjects, type ObjectChange, ObjectStore } from "./sources/object-store.ts";
import { LocalObjects } from "./sources/pushed-objects.ts";
import { Registrations } from "./sources/registrations.ts";
import { StatusAddresses } from "./status-addresses.ts";
import { VirtualAddresses } from "./virtual-addresses.ts";

/** Where objects come from, and what is kept. */
export interface MeshPlaces {
  /** The file of objects that were pushed; undefined for objects that come anew with every start. */
  readonly objects?: string | undefined;
  /** The file of addresses that were given; undefined for none to remember. */
  readonly virtualAddresses?: string | undefined;
  /** The file of machines that have registered; undefined for some that have to do so anew with every start. */
  readonly registrations?: string | undefined;
  /** The directory of copies of zones; undefined for zones that are fetched whole with every start. */
  readonly zones?: string | undefined;
  /** A kubeconfig's path; or `in-cluster`, for a pod's service account. */
  readonly kubernetes?: string | undefined;
  /** Virtual addresses are in statuses of that API, and one of several services gives them. */
  readonly sharesAddresses?: boolean | undefined;
  /** Objects and virtual addresses are there, for several services, one of which gives the addresses. */
  readonly etcd?: EtcdOptions | undefined;
  /** Kubeconfigs of other clusters of the mesh, by their names. */
  readonly otherClusters?: Readonly<Record<string, string>> | undefined;
}

export interface MeshSurroundings {
  readonly now: () => number;
  readonly after: (milliseconds: number, task: () => void) => void;
  /** What is not as it should be, for people. */
  readonly onTrouble: (level: "warn" | "error", fields: object, message: string) => void;
}

/** For other clusters to be listed, at the start. */
const OTHERS_MS = 10_000;
/** How often it is looked who has not beaten for too long. */
const EXPIRE_MS = 1000;

const serviceMessage = messageType<ServiceMessage, ServiceMessage>("dns.mesh.v1.ServiceMessage");

export class LocalMesh implements MeshRoom {
  readonly #source: MeshSource;
  readonly #mesh: Mesh;
  readonly #registrations: Registrations;
  /** What was pushed or is of a live API, and what has registered. */
  readonly #objects: MergedObjects;
  #closed = false;
  readonly #catalogs: Catalogs;
  readonly #virtualAddresses: VirtualAddresses | SharedAddresses;
  readonly #listed: Promise<void>;
  readonly #closeSources: () => Promise<void>;

  /** An Error for files that this has not written, and for a kubeconfig that is none. */
  static async open(places: MeshPlaces, surroundings: MeshSurroundings): Promise<LocalMesh> {
    const { now, after, onTrouble } = surroundings;
    const onProblem = (fields: object, message: string) => onTrouble("warn", fields, message);
    const clusters = await watchClusters(places, { after, onProblem });
    const shared = places.etcd && (await EtcdMesh.open(places.etcd, clusters, { after, onProblem }));
    const source = shared?.source ?? new MeshSource(await LocalObjects.open(places.objects), clusters);
    const objects = shared?.objects ?? source.objects;
    const book = shared?.book ?? (await openStatuses(places));
    const listed = shared?.listed ?? source.listed;
    const virtualAddresses =
      book === undefined
        ? await VirtualAddresses.open(now, places.virtualAddresses)
        : await SharedAddresses.open({ now, after, objects, listed, onTrouble: onProblem, book });
    const registrations = new Registrations(
      shared?.registrations ?? (await LocalRegistrations.open(places.registrations, now)),
      now,
    );
    const catalogs = new Catalogs({ now, after, directory: places.zones, onProblem });
    const closeSources = async (): Promise<void> => {
      await clusters?.close();
      await source.close();
      shared?.close();
    };
    const parts = { source, objects, listed, registrations, virtualAddresses, catalogs, closeSources };
    return new LocalMesh(parts, surroundings);
  }

  private constructor(parts: MeshParts, { after, onTrouble }: MeshSurroundings) {
    const { source, objects, listed, registrations, virtualAddresses, catalogs, closeSources } = parts;
    this.#source = source;
    this.#listed = listed;
    this.#registrations = registrations;
    this.#objects = new MergedObjects(objects, registrations.objects);
    this.#virtualAddresses = virtualAddresses;
    this.#catalogs = catalogs;
    this.#closeSources = closeSources;
    this.#mesh = new Mesh({
      objects: this.#objects,
      listed,
      virtualAddresses,
      catalogs,
      health: new HealthChecks({ after, probe, onProblem: (fields, message) => onTrouble("warn", fields, message) }),
      after,
      onExhausted: (hosts) =>
        onTrouble("warn", { hosts }, "hosts of ServiceEntries have no virtual address: all are given"),
      onError: (error) =>
        onTrouble("error", { err: error }, "virtual addresses cannot be written down: changes are not told"),
    });
    this.#expireLater(after);
  }

  #expireLater(after: MeshSurroundings["after"]): void {
    after(EXPIRE_MS, () => {
      if (this.#closed) return;
      void this.#registrations.expire();
      this.#expireLater(after);
    });
  }

  get clients(): MeshObjects {
    return this.#objects;
  }

  ask<K extends MeshQuestion>(kind: K, asks: MeshQuestions[K]["asks"]): Promise<MeshQuestions[K]["answer"]> {
    const answer: (asks: never) => Promise<unknown> = this.#answers[kind];
    return answer(asks as never) as Promise<MeshQuestions[K]["answer"]>;
  }

  readonly #answers: {
    [K in MeshQuestion]: (asks: MeshQuestions[K]["asks"]) => Promise<MeshQuestions[K]["answer"]>;
  } = {
    apply: async (delta) => (await this.#source.apply(delta)).map(toMade),
    diff: async (delta) => this.#source.diff(delta).map(toMade),
    list: async (kind) => {
      const listed = [...this.#objects.list(kind)].map((object) => toListed(object));
      return listed.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    get: async ({ kind, namespace, name }) => {
      const object = this.#objects.get(kind, namespace, name);
      return object && toListed(object);
    },
    nameAt: async ({ view, address, host }) => this.#mesh.nameAt(view, address, host),
    owners: async (zones) => {
      const owners = zones.map((zone) => [zone, this.#mesh.ownerOf(zone)] as const);
      return new Map(owners.flatMap(([zone, owner]) => (owner === undefined ? [] : [[zone, owner]])));
    },
    register: ({ namespace, name, registration }) =>
      this.#registrations.register({ namespace, name }, registration, this.#objects),
    unregister: (key) => this.#registrations.unregister(key),
    notify: async ({ zone, address }) => this.#catalogs.notify(zone, address),
    lead: async (until) => {
      if (this.#virtualAddresses instanceof SharedAddresses) this.#virtualAddresses.lead(until);
      return undefined;
    },
    listed: async () => void (await this.#listed),
    configure: async (tables) => void this.#mesh.configure(tables),
  };

  join(channel: WorkerChannel, node: string): MeshMember {
    return this.#mesh.join(encodeFor(channel), node);
  }

  watchDestinations(listener: DestinationListener): void {
    this.#mesh.watchDestinations(listener);
  }

  status(): MeshStatus {
    return this.#mesh.status();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#mesh.close();
    await this.#closeSources();
    await this.#registrations.close();
    await this.#virtualAddresses.close();
  }
}

interface MeshParts {
  readonly source: MeshSource;
  /** Of the source, with all that is known of them. */
  readonly objects: AllObjects;
  /** Resolved when all that has been told once. */
  readonly listed: Promise<void>;
  readonly registrations: Registrations;
  readonly virtualAddresses: VirtualAddresses | SharedAddresses;
  readonly catalogs: Catalogs;
  readonly closeSources: () => Promise<void>;
}

async function openStatuses({ kubernetes, sharesAddresses }: MeshPlaces): Promise<AddressBook | undefined> {
  if (!sharesAddresses || kubernetes === undefined) return undefined;
  const api = await KubernetesApi.open(kubernetes);
  return new StatusAddresses(api, api.namespace);
}

/** Our own cluster and the others as one. */
async function watchClusters(
  { kubernetes, otherClusters = {} }: MeshPlaces,
  options: Pick<KubernetesOptions, "after" | "onProblem">,
): Promise<KubernetesSource | undefined> {
  const objects = new ObjectStore();
  const watch = (flag: string, config: string, cluster?: string) =>
    watchKubernetes({ ...options, config, objects, ...(cluster === undefined ? {} : { cluster }) }).catch(
      (error: Error) => {
        throw new Error(`cannot use the configuration of ${flag}: ${error.message}`);
      },
    );
  const own = kubernetes === undefined ? [] : [await watch("--kubernetes", kubernetes)];
  const others: KubernetesSource[] = [];
  for (const [cluster, config] of Object.entries(otherClusters)) {
    others.push(await watch("--other-cluster", config, cluster));
  }
  if (own.length + others.length === 0) return undefined;
  // A cluster that is away must not keep our own from being told.
  const patience = new Promise<void>((resolve) => options.after(OTHERS_MS, resolve));
  const allOthers = Promise.all(others.map(({ listed }) => listed));
  const listed = Promise.all([...own.map((source) => source.listed), Promise.race([allOthers, patience])]);
  const close = async (): Promise<void> => {
    for (const source of [...own, ...others]) await source.close();
  };
  return { objects, listed: listed.then(() => {}), close };
}

function encodeFor(channel: WorkerChannel): MeshChannel {
  return {
    get isCongested() {
      return channel.isCongested;
    },
    send: (update: MeshUpdateMessage) =>
      channel.send(
        serviceMessage.encode({ mesh_update: update as unknown as NonNullable<ServiceMessage["mesh_update"]> }),
      ),
    whenFree: (task) => channel.whenFree(task),
  };
}

function toMade({ key, before, after }: ObjectChange): MadeChange {
  return { key, change: after === undefined ? "deleted" : before === undefined ? "created" : "updated" };
}
