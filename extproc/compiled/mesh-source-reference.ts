/**
 * A source of names that a policy set speaks of: what the mesh follows beside its objects.
 */
import type { ZoneReference } from "./zone-reference.ts";

export interface MeshSourceReference {
  readonly name: string;
  /** Whose names they are. */
  readonly namespace: string;
  /** As Istio's exportTo; empty: everybody. */
  readonly exportTo: readonly string[];
  readonly transfer: ZoneReference;
}
