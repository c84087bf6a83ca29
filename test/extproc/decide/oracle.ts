/**
 * A decision point that says something else of every question, and always the same of the same: of some domains for all their
 * names, of some types and transports for all of them, and for a minute.
 */
import type { Consult, Said } from "../../../extproc/compiled/decision-point.ts";
import { fnv1a } from "../../../extproc/compiled/hash.ts";

export interface OracleQuestion {
  readonly tenant: string;
  /** Leftmost first, lower case. */
  readonly labels: readonly string[];
  readonly qtype: number;
  readonly transport: number;
  /** In hexadecimal digits; undefined where it is not told. */
  readonly client: string | undefined;
}

const MINUTE = 60_000;
const DOMAIN = 2;

export function askOracle({ tenant, labels, qtype, transport, client }: OracleQuestion, time: number): Said {
  const domain = labels.slice(-DOMAIN).join(".");
  const kind = labels.length < DOMAIN ? 0 : hash(domain);
  const below = kind % 3 === 1;
  const anyType = kind % 4 === 1;
  const anyTransport = kind % 5 !== 0;
  const minute = Math.floor(time / MINUTE);
  const of = [
    tenant,
    client,
    below ? `*.${domain}` : labels.join("."),
    anyType ? "any" : qtype,
    anyTransport ? "any" : transport,
    minute,
  ];
  const action = (["Accept", "Deny", "Pass"] as const)[hash(of.join(" ")) % 3] ?? "Deny";
  return {
    action,
    reason: "so it says",
    labels: below ? DOMAIN : undefined,
    anyType,
    anyTransport,
    until: (minute + 1) * MINUTE,
  };
}

/** As a decision asks it. */
export function consultOracle(time: number): Consult {
  return (_, { tenant, name, client, ...asked }) => {
    const told = client && Buffer.from(client).toString("hex");
    return askOracle({ ...asked, tenant, labels: name === "." ? [] : name.split("."), client: told }, time);
  };
}

function hash(text: string): number {
  const octets = Buffer.from(text);
  return fnv1a(octets, 0, octets.length) >>> 4;
}
