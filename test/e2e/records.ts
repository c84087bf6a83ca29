/**
 * Records as an operator writes them, `www.example.org 300 A 192.0.2.1`, and a zone of them that answers questions as
 * an authoritative server with recursion would: CNAMEs followed, wildcards, NXDOMAIN and NODATA with an SOA.
 */
import packet from "dns-packet";
import type { ZoneAnswer } from "../../demo/zone.ts";
import { parseRecord as parseOwnRecord } from "../../extproc/resources/record.ts";
import { FLAGS, packetType } from "./dns.ts";

export type Record = packet.Answer;

/** A line of name, TTL, type and data, parted by spaces. */
export function parseRecord(line: string): Record {
  const [name, ttlText, type, ...rest] = line.trim().split(/\s+/);
  const ttl = Number(ttlText);
  if (!name || !type || !Number.isInteger(ttl)) throw new Error(`expected "name ttl type data", got "${line}"`);
  const data = rest.join(" ");
  const [first = "", second = "", third = "", fourth = ""] = rest;
  const record = (value: unknown) =>
    ({ name: bare(name), type: packetType(type), ttl, class: "IN", data: value }) as Record;
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
    case "SVCB":
    case "HTTPS": {
      const own = parseOwnRecord(`${type} ${data}`);
      if (typeof own === "string") throw new Error(`expected ${own}, got "${line}"`);
      // dns-packet does not know these, and takes their octets.
      return record(Buffer.from(own.data));
    }
    default:
      throw new Error(`records of type ${type} are not known here: "${line}"`);
  }
}

const bare = (name: string) => (name === "." ? "." : name.replace(/\.$/, ""));

/** What knows names: these lines, or a zone file of the demo's. */
export interface Zone {
  answer(name: string, type: string): ZoneAnswer;
}

const NEGATIVE_TTL = 60;

/** A zone of lines; blank ones and those that begin with `;` are skipped. */
export function parseZone(text: string): Zone {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.trim().startsWith(";"));
  const records = lines.map(parseRecord);
  return { answer: (name, type) => look(records, name, type) };
}

function look(records: Record[], asked: string, type: string): ZoneAnswer {
  const answers: Record[] = [];
  let name = asked.toLowerCase();
  let exists = false;
  let found = false;
  for (let hop = 0; hop < 20 && !found; hop++) {
    const here = recordsOf(records, name);
    exists = here.length > 0;
    const exact = here.filter((record) => record.type === type);
    const alias = here.find((record): record is packet.StringAnswer & { type: "CNAME" } => record.type === "CNAME");
    found = exact.length > 0;
    if (!found && !alias) break;
    answers.push(...(found || !alias ? exact : [alias]));
    name = String(alias?.data ?? name).toLowerCase();
  }
  return { rcode: exists ? "NOERROR" : "NXDOMAIN", answers, authorities: found ? [] : [authorityOf(records, name)] };
}

/** The SOA that the zone has for the name, or one of its top-level domain: an authority of its own for each. */
function authorityOf(records: Record[], name: string): Record {
  const above = records.filter((one) => one.type === "SOA" && `.${name}`.endsWith(`.${one.name.toLowerCase()}`));
  const [closest] = above.sort((one, other) => other.name.length - one.name.length);
  if (closest !== undefined) return closest;
  const owner = name.slice(name.lastIndexOf(".") + 1);
  const names = { mname: `ns.${owner}`, rname: `hostmaster.${owner}` };
  const times = { serial: 1, refresh: 3600, retry: 600, expire: 86400, minimum: NEGATIVE_TTL };
  return { name: owner, type: "SOA", ttl: NEGATIVE_TTL, data: { ...names, ...times } };
}

/** The zone's answer to a question. */
export function answerFrom(zone: Zone, query: packet.Packet): Buffer {
  const [question] = query.questions ?? [];
  if (!question) return encodeReply(query, { rcode: 1 });
  const { rcode, answers, authorities } = zone.answer(question.name, question.type);
  return encodeReply(query, { rcode: rcode === "NXDOMAIN" ? 3 : 0, answers, authorities });
}

function recordsOf(records: Record[], name: string): Record[] {
  const exact = records.filter((record) => record.name.toLowerCase() === name);
  if (exact.length > 0) return exact;
  for (let parent = name; parent.includes("."); ) {
    parent = parent.slice(parent.indexOf(".") + 1);
    const wild = records.filter((record) => record.name.toLowerCase() === `*.${parent}`);
    if (wild.length > 0) return wild.map((record) => ({ ...record, name }));
  }
  return [];
}

export interface ReplyParts {
  rcode?: number;
  answers?: Record[];
  authorities?: Record[];
  /** Of the header, besides QR, RD and RA. */
  flags?: number;
  id?: number;
  questions?: packet.Question[];
}

/** A reply to a query, right in all that the parts do not say otherwise. */
export function encodeReply(query: packet.Packet, parts: ReplyParts = {}): Buffer {
  const { rcode = 0, answers = [], authorities = [], flags = 0 } = parts;
  return packet.encode({
    type: "response",
    id: parts.id ?? query.id ?? 0,
    flags: flags | FLAGS.RA | ((query.flags ?? 0) & FLAGS.RD) | rcode,
    questions: parts.questions ?? query.questions ?? [],
    answers,
    authorities,
  });
}

/** A reply without records, its question copied octet for octet: names that are no text come back as they went. */
export function emptyReply(query: Buffer, rcode: number): Buffer {
  let end = 12;
  while (end < query.length && (query[end] ?? 0) !== 0) end += (query[end] ?? 0) + 1;
  const reply = Buffer.from(query.subarray(0, end + 5));
  reply.writeUInt16BE(0x8180 | rcode, 2);
  reply.writeUInt16BE(1, 4);
  reply.fill(0, 6, 12);
  return reply;
}
