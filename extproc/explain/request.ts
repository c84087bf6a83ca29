/**
 * A question as a person asks about it, and as the decision takes it.
 */
import { z } from "zod";
import { Transport } from "../compiled/messages.ts";
import { parseAddress } from "../decide/address.ts";
import type { DecisionRequest } from "../decide/request.ts";
import { parsed } from "../resources/field.ts";
import { NameSyntaxError, parseName } from "../resources/name-pattern.ts";
import { parseRecordType } from "../resources/record-type.ts";

export const TRANSPORTS = {
  udp: Transport.UDP,
  tcp: Transport.TCP,
  dot: Transport.DOT,
  doh: Transport.DOH,
  doh3: Transport.DOH3,
};

const address = parsed((text) => parseAddress(text) ?? "an IPv4 or IPv6 address");
const name = parsed((text): { readonly wire: Uint8Array } | string => {
  try {
    return { wire: parseName(text).wire };
  } catch (error) {
    if (error instanceof NameSyntaxError) return error.message;
    throw error;
  }
}).transform(({ wire }) => wire);

/** Texts, as a command line or a JSON body has them. */
export const explainRequest = z.strictObject({
  client: address,
  principal: z.string().optional(),
  serverName: z.string().optional(),
  path: z.string().optional(),
  transport: z.enum(["udp", "tcp", "dot", "doh", "doh3"]).default("udp"),
  /** A sidecar's fixed identity. */
  tenant: z.string().optional(),
  name,
  type: parsed(parseRecordType).default(1),
  /** Whether every rule of the tenant is told, and not the one alone that decides: it takes longer. */
  rules: z.boolean().default(true),
  /** YAML of resources that are created or replaced before the question is asked; nothing comes of it. */
  resources: z.string().optional(),
  /** They are the whole set. */
  prune: z.boolean().default(false),
  /** By default it is now. */
  at: z.iso.datetime({ offset: true, error: "expected a time as 2026-11-24T18:00:00Z" }).optional(),
});

export type ExplainRequest = z.input<typeof explainRequest>;

/** `now`: milliseconds since 1970. */
export function toDecisionRequest(
  request: z.output<typeof explainRequest>,
  now: number,
): DecisionRequest & { readonly time: number } {
  const { client, transport, name, type, principal, serverName, path, tenant, at } = request;
  return {
    address: client,
    listener: "explain",
    transport: TRANSPORTS[transport],
    principal,
    serverName,
    path,
    tenant,
    qname: name,
    qtype: type,
    time: at === undefined ? now : Date.parse(at),
  };
}
