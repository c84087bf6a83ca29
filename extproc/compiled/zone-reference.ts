/**
 * A zone of another name server, of which this service is a secondary.
 */
import type { TsigAlgorithm } from "../resources/transfer-schema.ts";

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
