/**
 * Where connections go that are opened to a virtual address, by port.
 */

export interface Destination {
  /** `NAMESPACE/NAME/HOST/PORT`: the ServiceEntry, its host, and the port. */
  readonly id: string;
  /** What the host's name is answered with. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Of the endpoints: `names in turn` are asked for, and new connections go to the address that was told last. */
  readonly resolution: "addresses" | "names" | "names in turn";
  readonly endpoints: readonly Endpoint[];
}

/** Of a destination's id. */
export function hostOf(id: string): string | undefined {
  return id.split("/")[2];
}

export interface Endpoint {
  /** Or a name. */
  readonly address: string;
  readonly port: number;
  /** Of those of its kind: connections are shared out by it. */
  readonly weight: number;
}
