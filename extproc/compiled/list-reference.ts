/**
 * Which list of names a policy set speaks of, and where it is: what the room of lists follows.
 */
export interface ListReference {
  readonly name: string;
  readonly format: "Plain" | "Hosts" | "RPZ";
  readonly subdomains: boolean;
  /** One of them: the patterns themselves, or where they are. */
  readonly inline?: readonly string[];
  readonly file?: string;
  readonly transfer?: ZoneReference;
}

/** A response policy zone of another name server. */
export interface ZoneReference {
  readonly primaries: readonly Primary[];
  /** In presentation format, without a final dot. */
  readonly zone: string;
  readonly tsig?: { readonly name: string; readonly algorithm: TsigAlgorithm; readonly secretFile: string };
}

export interface Primary {
  readonly address: string;
  readonly port: number;
}

/** RFC 8945, section 6; those that are weak are left out. */
export const TSIG_ALGORITHMS = ["hmac-sha256", "hmac-sha384", "hmac-sha512"] as const;
export type TsigAlgorithm = (typeof TSIG_ALGORITHMS)[number];
