/**
 * Whether a query is one of those that somebody wants to see.
 */
import ipaddr from "ipaddr.js";
import type { QueryFilter, QueryRecord } from "./questions.ts";

export type Loosely = { readonly [K in keyof QueryRecord]?: QueryRecord[K] | undefined };

/** `type` and `name` in any case; throws FilterError for a client that is neither an address nor a network. */
export function compileFilter(filter: QueryFilter): (record: Loosely) => boolean {
  const { tenant, verdict, name, client, type, rule } = filter;
  const names = name === undefined ? undefined : globPattern(name);
  const clients = client === undefined ? undefined : parseClients(client);
  const wantedType = type?.toUpperCase();
  return (record) => {
    if (tenant !== undefined && record.tenant !== tenant) return false;
    if (verdict !== undefined && record.outcome !== verdict) return false;
    if (wantedType !== undefined && record.qtype !== wantedType) return false;
    if (rule !== undefined && record.policy !== rule && `${record.policy}/${record.rule}` !== rule) return false;
    if (names !== undefined && !names.test(record.qname ?? "")) return false;
    return clients === undefined || clients.holds(record.client ?? "");
  };
}

export class FilterError extends Error {
  override readonly name = "FilterError";
}

/** The name as it is presented, with its final dot. */
export function globPattern(glob: string): RegExp {
  const dotted = glob.endsWith(".") || glob.endsWith("*") ? glob : `${glob}.`;
  const source = dotted.split("*").map(escapeRegex).join(".*");
  return new RegExp(`^${source}$`, "is");
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.+?()[\]{}|/-]/g, "\\$&");
}

export interface Clients {
  /** As 10.0.0.0 and 8, or an address and its whole length. */
  readonly address: string;
  readonly prefix: number;
  holds(address: string): boolean;
}

export function parseClients(text: string): Clients {
  const [address = "", bits] = text.split("/");
  const expected = "expected client to be an address or a network as 10.0.0.0/8";
  if (!ipaddr.isValid(address)) throw new FilterError(`${expected}, got ${text.slice(0, 100)}`);
  const network = ipaddr.parse(address);
  const whole = network.kind() === "ipv4" ? 32 : 128;
  const prefix = bits === undefined ? whole : Number(bits);
  if (!/^\d{1,3}$/.test(bits ?? "0") || prefix > whole) throw new FilterError(`${expected}, got ${text.slice(0, 100)}`);
  return {
    address: network.toString(),
    prefix,
    holds: (other) => {
      if (!ipaddr.isValid(other)) return false;
      const parsed = ipaddr.parse(other);
      return parsed.kind() === network.kind() && parsed.match(network, prefix);
    },
  };
}
