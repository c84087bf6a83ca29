/**
 * A zone of another name server, of which this service is a secondary.
 */
export interface ZoneReference {
  readonly primaries: readonly Primary[];
  /** In presentation format, without a final dot. */
  readonly zone: string;
  readonly tsig?: { readonly name: string; readonly algorithm: TsigAlgorithm; readonly secretFile: string } | undefined;
}

export interface Primary {
  readonly address: string;
  readonly port: number;
}

/** RFC 8945, section 6; those that are weak are left out. */
export const TSIG_ALGORITHMS = ["hmac-sha256", "hmac-sha384", "hmac-sha512"] as const;
export type TsigAlgorithm = (typeof TSIG_ALGORITHMS)[number];
