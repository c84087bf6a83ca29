/**
 * A resource as the discovery service hands it to Envoy.
 */
/** A google.protobuf.Any. */
export interface Resource {
  readonly type_url: string;
  readonly value: Uint8Array;
}
