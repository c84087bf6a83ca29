/**
 * Client groups, as home and office blockers have them: whose addresses, and which lists are asked for them.
 */
import type { Problem } from "../resources/problem.ts";
import { type Conversion, toBlock } from "./conversion.ts";

/** Everybody who is in no group. */
const EVERYBODY = ["0.0.0.0/0", "::/0"];

export interface ClientGroup {
  readonly name: string;
  /** Undefined: everybody who is in no other. */
  readonly clients: readonly string[] | undefined;
  readonly problem: (message: string) => Problem;
}

/** The Tenant's name; undefined where none of the clients can be known. */
export function addTenant(conversion: Conversion, group: ClientGroup, upstream?: string): string | undefined {
  const cidrs: string[] = [];
  for (const client of group.clients ?? EVERYBODY) {
    const block = toBlock(client);
    if (block !== undefined) cidrs.push(block);
    else
      conversion.left(
        group.problem(`expected an address or a block, got ${JSON.stringify(client)}: no client is known by that`),
      );
  }
  if (cidrs.length === 0) return undefined;
  return conversion.add("Tenant", group.name, {
    match: [{ cidrs: [...new Set(cidrs)] }],
    ...(upstream === undefined ? {} : { upstream }),
  });
}

/** An upstream server as `tls://1.1.1.1#name`, `https://1.1.1.1/path`, `1.1.1.1:53`; the Upstream's name. */
export function addUpstream(
  conversion: Conversion,
  name: string,
  servers: readonly string[],
  problem: (message: string) => Problem,
): string | undefined {
  const read = servers.flatMap((text) => {
    const server = readServer(text);
    if (typeof server !== "string") return [server];
    conversion.left(problem(`expected ${server}, got ${JSON.stringify(text)}`));
    return [];
  });
  const [first] = read;
  if (first === undefined) return undefined;
  const others = read.filter(({ protocol }) => protocol !== first.protocol).length;
  if (others > 0)
    conversion.left(problem(`expected servers of one protocol, got ${others} that are not ${first.protocol}`));
  if (first.plain) conversion.note(problem("asked over UDP there, and over TCP here"));
  const own = read.filter(({ protocol }) => protocol === first.protocol);
  return conversion.add("Upstream", name, { protocol: first.protocol, servers: own.map(({ server }) => server) });
}

interface Server {
  readonly protocol: "TCP" | "DoT" | "DoH";
  /** It was asked over UDP. */
  readonly plain: boolean;
  readonly server: object;
}

function readServer(text: string): Server | string {
  const [, scheme = "", rest = ""] = /^(?:([a-z+-]+):(?:\/\/)?)?(.*)$/i.exec(text) ?? [];
  const [place = "", serverName] = rest.split("#");
  const [, host = "", port, path] = /^(\[[^\]]+\]|[^:/]+|[0-9a-f:]+)(?::(\d+))?(\/.*)?$/i.exec(place) ?? [];
  const address = host.replace(/^\[(.*)\]$/, "$1");
  if (toBlock(address) === undefined || address.includes("/"))
    return "an address of a server (a name would need a resolver)";
  const at = { address, ...(port === undefined ? {} : { port: Number(port) }) };
  const plain = ["", "udp", "tcp+udp"].includes(scheme);
  if (plain || scheme === "tcp") return { protocol: "TCP", plain, server: at };
  if (serverName === undefined) return "the name in the server's certificate behind a #";
  if (scheme === "tls" || scheme === "tcp-tls") return { protocol: "DoT", plain, server: { ...at, serverName } };
  if (scheme === "https") return { protocol: "DoH", plain, server: { ...at, serverName, ...(path ? { path } : {}) } };
  return "tls, https, tcp or udp";
}
