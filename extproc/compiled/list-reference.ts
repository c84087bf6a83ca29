/**
 * Which list of names a policy set speaks of, and where it is: what the room of lists follows.
 */
import type { ZoneReference } from "./zone-reference.ts";

export interface ListReference {
  readonly name: string;
  readonly format: "Plain" | "Hosts" | "RPZ";
  readonly subdomains: boolean;
  /** One of them: the patterns themselves, or where they are. */
  readonly inline?: readonly string[];
  readonly file?: string;
  /** A response policy zone. */
  readonly transfer?: ZoneReference;
}
