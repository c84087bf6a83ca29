/**
 * What the service and its mesh thread say to each other.
 */
import type { DestinationChange } from "./egress/told-destinations.ts";
import type { MeshPlaces } from "./local-mesh.ts";
import type { MeshQuestion, MeshStatus } from "./mesh-room.ts";
import type { ObjectDelta } from "./sources/object-store.ts";

/** What the thread is started with. */
export type ThreadOptions = MeshPlaces;

export type ToThread =
  | { readonly kind: "ask"; readonly id: number; readonly question: MeshQuestion; readonly asks: unknown }
  | { readonly kind: "join"; readonly member: number; readonly node: string }
  | { readonly kind: "interested"; readonly member: number; readonly views: readonly string[] }
  /** A message has gone to the worker. */
  | { readonly kind: "sent"; readonly member: number }
  | { readonly kind: "leave"; readonly member: number }
  | { readonly kind: "watchDestinations" }
  | { readonly kind: "close"; readonly id: number };

export type FromThread =
  /** Files are open; or why they cannot be opened. */
  | { readonly kind: "ready"; readonly error?: string }
  | { readonly kind: "answer"; readonly id: number; readonly answer: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly error: string }
  /** A ServiceMessage for a worker. */
  | { readonly kind: "send"; readonly member: number; readonly message: Uint8Array }
  /** Of objects that say who clients are. */
  | { readonly kind: "clients"; readonly delta: ObjectDelta }
  | { readonly kind: "destinations"; readonly change: DestinationChange }
  | { readonly kind: "status"; readonly status: MeshStatus }
  | {
      readonly kind: "trouble";
      readonly level: "warn" | "error";
      readonly fields: object;
      readonly message: string;
    };
