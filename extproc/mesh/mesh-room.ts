/**
 * The mesh, as the decision thread knows it: what it may be asked, and whom it tells.
 */
import type { MeshTables } from "../compiled/snapshot.ts";
import type { CatalogStatus } from "./catalogs/catalog.ts";
import type { DestinationListener } from "./egress/told-destinations.ts";
import type { HealthStatus } from "./health/health-checks.ts";
import type { ListedObject } from "./sources/mesh-source.ts";
import type { ObjectKey } from "./sources/object.ts";
import type { MeshObjects, ObjectDelta } from "./sources/object-store.ts";
import type { Registration } from "./sources/registration.ts";
import type { RegisterOutcome } from "./sources/registrations.ts";
import type { ObjectKind } from "./sources/schema.ts";
import type { VirtualAddressStatus } from "./virtual-addresses.ts";

/** What became of an object. */
export interface MadeChange {
  readonly key: ObjectKey;
  readonly change: "created" | "updated" | "deleted";
}

export interface MeshQuestions {
  /** At once in force; answered when it is on disk. */
  apply: { asks: ObjectDelta; answer: readonly MadeChange[] };
  /** What `apply` would change. */
  diff: { asks: ObjectDelta; answer: readonly MadeChange[] };
  /** In the order of their names. */
  list: { asks: ObjectKind; answer: readonly ListedObject[] };
  get: { asks: ObjectKey; answer: ListedObject | undefined };
  /** A name that the view may know and that has this address: by the reverse zones, or else `host`. In wire format. */
  nameAt: {
    asks: { readonly view: string; readonly address: string; readonly host: string | undefined };
    answer: Uint8Array | undefined;
  };
  /** Of zones in presentation format, the tenants whose names they are, where that is known. */
  owners: { asks: readonly string[]; answer: ReadonlyMap<string, string> };
  /** A machine registers as an endpoint, or beats. */
  register: {
    asks: { readonly namespace: string; readonly name: string; readonly registration: Registration };
    answer: RegisterOutcome;
  };
  /** Answered whether it was there. */
  unregister: { asks: { readonly namespace: string; readonly name: string }; answer: boolean };
  /** A primary at the address says that its zone has changed; answered whether it is one that names come from. */
  notify: { asks: { readonly zone: string; readonly address: string }; answer: boolean };
  /** Until when, by the wall clock, this service gives virtual addresses, for those with which it shares them; 0: it does not. */
  lead: { asks: number; answer: undefined };
  /** Answered when all objects of a live API have been told once; where there is none, at once. */
  listed: { asks: undefined; answer: undefined };
  /** The policy that is about to be in force: a view that loses names by it is told so before this is answered. */
  configure: { asks: MeshTables; answer: undefined };
}

export type MeshQuestion = keyof MeshQuestions;

/** The way to a worker. */
export interface WorkerChannel {
  /** Whether more would only wait there. */
  readonly isCongested: boolean;
  /** Takes a ServiceMessage. */
  send(message: Uint8Array): void;
  /** Calls once, when it is not congested any more. */
  whenFree(task: () => void): void;
}

/** A worker's place. */
export interface MeshMember {
  /** All views that it answers by. */
  interested(views: readonly string[]): void;
  leave(): void;
}

export interface MeshStatus {
  readonly objects: number;
  /** A name counts once for each group that has it. */
  readonly names: number;
  /** Where names come from beside objects. */
  readonly sources: readonly CatalogStatus[];
  readonly virtualAddresses: VirtualAddressStatus;
  /** Of endpoints that nobody else looks after. */
  readonly health: HealthStatus;
}

/** Kinds whose objects say who a client is. */
export const CLIENT_KINDS: readonly ObjectKind[] = ["Pod", "Namespace"];

export interface MeshRoom {
  /** Those of CLIENT_KINDS. */
  readonly clients: MeshObjects;
  ask<K extends MeshQuestion>(kind: K, asks: MeshQuestions[K]["asks"]): Promise<MeshQuestions[K]["answer"]>;
  /** A worker of the Envoy with this id has come. */
  join(channel: WorkerChannel, node: string): MeshMember;
  /** Where connections to virtual addresses go, first all and then what changes. For one listener. */
  watchDestinations(listener: DestinationListener): void;
  /** As it was a second ago, or later. */
  status(): MeshStatus;
  close(): Promise<void>;
}
