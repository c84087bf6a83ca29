/**
 * One question of one client, as the decision sees it. The server reads it from the x-dns-* headers and the DNS
 * message of a decision request (ARCHITECTURE.md, "A decision").
 */
import type { Consult } from "../compiled/decision-point.ts";
import type { Transport } from "../compiled/messages.ts";
import type { Pod } from "../compiled/pods.ts";

export interface DecisionRequest {
  /** 4 or 16 octets; parseAddress() makes them of text. */
  readonly address: Uint8Array;
  readonly listener: string;
  readonly transport: Transport;
  /** URI SAN of a certificate that Envoy validated. */
  readonly principal?: string | undefined;
  readonly serverName?: string | undefined;
  readonly path?: string | undefined;
  /** The pod that has the address, where one is known. */
  readonly pod?: Pod | undefined;
  /** Fixed identity: metadata.name of a Tenant. Nothing else is looked at then. */
  readonly tenant?: string | undefined;
  /** Wire format, uncompressed, in any case. */
  readonly qname: Uint8Array;
  readonly qtype: number;
  /** Milliseconds since 1970: schedules are looked up for this moment. */
  readonly time: number;
  /** Asks decision points; without it, they are taken for away. What it throws ends the decision. */
  readonly consult?: Consult | undefined;
}

/** The request is not one that a worker sends: it gets no verdict, which is a failure and never a permission. */
export class MalformedRequest extends Error {
  override readonly name = "MalformedRequest";
}
