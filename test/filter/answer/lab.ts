/** Upstreams' responses for the tests of answers, and what became of them. */
import packet from "dns-packet";
import { Room, u16, u32, wireName } from "../wire/room.ts";

export enum Reading {
  Answered,
  NotOurs,
  Unusable,
}

export const TYPES: Record<string, number> = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28 };
Object.assign(TYPES, { SRV: 33, NAPTR: 35, DNAME: 39, RRSIG: 46, NSEC: 47, SVCB: 64, HTTPS: 65 });

export const QR = 0x8000;
export const RD = 0x0100;
export const RA = 0x0080;
export const AD = 0x0020;
export const TC = 0x0200;
export const SECOND = 1_000_000n;
export const START = 5_000_000n;
export const ID = 4660;

export interface Response {
  name?: string;
  type?: string;
  flags?: number;
  id?: number;
  rcode?: number;
  questions?: packet.Question[];
  answers?: packet.Answer[];
  authorities?: packet.Answer[];
  additionals?: packet.Answer[];
}

/** A response by dns-packet: right in all that the parts do not say otherwise. */
export function encode(parts: Response = {}): Buffer {
  const { name = "www.example.org", type = "A", flags = RD | RA, rcode = 0 } = parts;
  return packet.encode({
    type: "response",
    id: parts.id ?? ID,
    flags: flags | rcode,
    questions: parts.questions ?? [{ name, type: type as packet.RecordType }],
    answers: parts.answers ?? [],
    authorities: parts.authorities ?? [],
    additionals: parts.additionals ?? [],
  });
}

export const a = (name: string, data = "192.0.2.1", ttl = 300): packet.Answer => ({ name, type: "A", ttl, data });
export const cname = (name: string, data: string, ttl = 300): packet.Answer => ({ name, type: "CNAME", ttl, data });
export const soa = (name: string, ttl = 900, minimum = 60): packet.Answer => {
  const times = { serial: 1, refresh: 3600, retry: 600, expire: 86_400, minimum };
  return { name, type: "SOA", ttl, data: { mname: "ns.example", rname: "host.example", ...times } };
};
export const chain = (length: number, from = "www.example.org"): packet.Answer[] =>
  Array.from({ length }, (_, index) => cname(index ? `h${index}.example.net` : from, `h${index + 1}.example.net`));

/** An OPT record with options, as dns-packet has it. */
export const opt = (options: [code: number, data: Uint8Array][] = [], extendedRcode = 0): packet.Answer =>
  ({
    ...{ type: "OPT", name: ".", udpPayloadSize: 1232, extendedRcode },
    options: options.map(([code, data]) => ({ code, data: Buffer.from(data) })),
  }) as unknown as packet.Answer;

/** A record by hand, for types and data that dns-packet does not write. */
export const record = (owner: Uint8Array, type: number, data: Uint8Array, ttl = 300, clazz = 1): Buffer =>
  Buffer.concat([owner, u16(type, clazz), u32(ttl), u16(data.length), data]);

/** A response whose records are octets. */
export function raw(type: string, answers: Uint8Array[], authorities: Uint8Array[] = [], flags = RD | RA): Buffer {
  const question = Buffer.concat([wireName("www.example.org"), u16(TYPES[type] ?? 0, 1)]);
  const header = u16(ID, QR | flags, 1, answers.length, authorities.length, 0);
  return Buffer.concat([header, question, ...answers, ...authorities]);
}

/** The name of the question, as a pointer. */
export const ASKED = u16(0xc00c);

const FIELDS = ["rcode", "ttl", "answerCount", "authorityCount", "targetCount", "flags", "storedAt", "expiresAt"];
FIELDS.push("staleUntil", "references", "ttlCount");

export class AnswerLab {
  readonly room: Room;

  private constructor(room: Room) {
    this.room = room;
  }

  static async open(): Promise<AnswerLab> {
    return new AnswerLab(await Room.open("answer/entry/answer.ts"));
  }

  limits({ max = 86_400, maxNegative = 3600, stale = 0 } = {}): void {
    this.room.call("setLimits", max, maxNegative, stale);
  }

  ask(name = "www.example.org", type = "A", dnssec = false): void {
    this.room.call("ask", this.room.put(wireName(name)), ID, TYPES[type] ?? 0, dnssec ? 1 : 0);
  }

  read(message: Uint8Array, { checkId = true, now = START } = {}): Reading {
    return this.room.call("read", this.room.put(message), checkId ? 1 : 0, now);
  }

  get fields(): Record<string, number> {
    return Object.fromEntries(FIELDS.map((name, index) => [name, this.room.call("field", index)]));
  }

  /** Names that the answer points to. */
  get targets(): string[] {
    const wire = this.room.output(this.room.call("targets"));
    const names: string[] = [];
    let labels: string[] = [];
    for (let at = 0; at < wire.length; at += (wire[at] ?? 0) + 1) {
      const size = wire[at] ?? 0;
      if (size > 0) labels.push(wire.subarray(at + 1, at + 1 + size).toString("latin1"));
      else {
        names.push(labels.join("."));
        labels = [];
      }
    }
    return names;
  }

  get ede(): Buffer {
    return this.room.output(this.room.call("ede"));
  }

  /** A client's query; its answers are written by the functions below. */
  query(message: Uint8Array): number {
    return this.room.call("query", this.room.put(message));
  }

  /** The kept answer as the client gets it. */
  answer({ transport = 1, now = START, stale = false } = {}): Buffer {
    return this.room.output(this.room.call("writeAnswer", transport, now, stale ? 1 : 0));
  }
}
