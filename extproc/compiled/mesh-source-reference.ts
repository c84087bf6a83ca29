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
  /** One of them. */
  readonly transfer?: ZoneReference | undefined;
  readonly consul?: ConsulReference | undefined;
}

export interface ConsulReference {
  /** URL of an agent's HTTP API. */
  readonly address: string;
  readonly tokenFile?: string | undefined;
  /** Trusted authorities, PEM; undefined: the public ones. */
  readonly ca?: string | undefined;
  /** Beside the agent's own. */
  readonly datacenters: readonly string[];
  /** In presentation format. */
  readonly domain: string;
  /** Seconds. */
  readonly ttl: number;
}
