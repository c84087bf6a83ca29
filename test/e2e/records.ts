/**
 * Records as an operator writes them, `www.example.org 300 A 192.0.2.1`, and a zone of them that answers questions as
 * an authoritative server with recursion would: CNAMEs followed, wildcards, NXDOMAIN and NODATA with an SOA.
 */
import packet from "dns-packet";
import { FLAGS } from "./dns.ts";

export type Record = packet.Answer;

/** A line of name, TTL, type and data, parted by spaces. */
export function parseRecord(line: string): Record {
  const [name, ttlText, type, ...rest] = line.trim().split(/\s+/);
  const ttl = Number(ttlText);
  if (!name || !type || !Number.isInteger(ttl)) throw new Error(`expected "name ttl type data", got "${line}"`);
  const data = rest.join(" ");
  const [first = "", second = "", third = "", fourth = ""] = rest;
  const record = (value: unknown) => ({ name: bare(name), type, ttl, class: "IN", data: value }) as Record;
  switch (type) {
    case "A":
    case "AAAA":
      return record(data);
    case "CNAME":
    case "DNAME":
    case "NS":
    case "PTR":
      return record(bare(data));
    case "TXT":
      return record(data.replace(/^"|"$/g, ""));
    case "MX":
      return record({ preference: Number(first), exchange: bare(second) });
    case "SRV":
      return record({ priority: Number(first), weight: Number(second), port: Number(third), target: bare(fourth) });
    case "SOA": {
      const [mname, rname, serial, refresh, retry, expire, minimum] = rest;
      const numbers = { serial: Number(serial), refresh: Number(refresh), retry: Number(retry) };
      const times = { expire: Number(expire), minimum: Number(minimum) };
      return record({ mname: bare(mname ?? ""), rname: bare(rname ?? ""), ...numbers, ...times });
    }
    default:
      throw new Error(`records of type ${type} are not known here: "${line}"`);
  }
}

const bare = (name: string) => (name === "." ? "." : name.replace(/\.$/, ""));

export interface Zone {
  records: Record[];
  /** Owner and TTL of the SOA in negative answers. */
  soa: string;
  negativeTtl: number;
}

/** A zone of lines; blank ones and those that begin with `;` are skipped. */
export function parseZone(text: string, soa = "test", negativeTtl = 60): Zone {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.trim().startsWith(";"));
  return { records: lines.map(parseRecord), soa, negativeTtl };
}

/** The zone's answer to a question. */
export function answerFrom(zone: Zone, query: packet.Packet): Buffer {
  const [question] = query.questions ?? [];
  if (!question) return encodeReply(query, { rcode: 1 });
  const answers: Record[] = [];
  let name = question.name.toLowerCase();
  let exists = false;
  for (let hop = 0; hop < 20; hop++) {
    const here = recordsOf(zone, name);
    exists = here.length > 0;
    const exact = here.filter((record) => record.type === question.type);
    if (exact.length > 0) {
      answers.push(...exact);
      break;
    }
    const alias = here.find((record): record is packet.StringAnswer & { type: "CNAME" } => record.type === "CNAME");
    if (!alias) break;
    answers.push(alias);
    name = String(alias.data).toLowerCase();
  }
  const found = answers.some((record) => record.type === question.type);
  return encodeReply(query, { rcode: exists || found ? 0 : 3, answers, ...(found ? {} : { soa: zone }) });
}

function recordsOf(zone: Zone, name: string): Record[] {
  const exact = zone.records.filter((record) => record.name.toLowerCase() === name);
  if (exact.length > 0) return exact;
  for (let parent = name; parent.includes("."); ) {
    parent = parent.slice(parent.indexOf(".") + 1);
    const wild = zone.records.filter((record) => record.name.toLowerCase() === `*.${parent}`);
    if (wild.length > 0) return wild.map((record) => ({ ...record, name }));
  }
  return [];
}

export interface ReplyParts {
  rcode?: number;
  answers?: Record[];
  soa?: Zone;
  /** Of the header, besides QR, RD and RA. */
  flags?: number;
  id?: number;
  questions?: packet.Question[];
}

/** A reply to a query, right in all that the parts do not say otherwise. */
export function encodeReply(query: packet.Packet, parts: ReplyParts = {}): Buffer {
  const { rcode = 0, answers = [], soa, flags = 0 } = parts;
  const names = { mname: `ns.${soa?.soa}`, rname: `hostmaster.${soa?.soa}` };
  const times = { serial: 1, refresh: 3600, retry: 600, expire: 86400, minimum: soa?.negativeTtl ?? 0 };
  return packet.encode({
    type: "response",
    id: parts.id ?? query.id ?? 0,
    flags: flags | FLAGS.RA | ((query.flags ?? 0) & FLAGS.RD) | rcode,
    questions: parts.questions ?? query.questions ?? [],
    answers,
    authorities: soa ? [{ name: soa.soa, type: "SOA", ttl: soa.negativeTtl, data: { ...names, ...times } }] : [],
  });
}
