/**
 * DNS messages for tests, by `dns-packet` and so by code that is not ours: questions made, answers read.
 */
import packet from "dns-packet";

/** RFC 1035 §4.1.1, RFC 4035 §3.2. */
export const FLAGS = { RD: 0x0100, RA: 0x0080, TC: 0x0200, AA: 0x0400, AD: 0x0020, CD: 0x0010 } as const;

const RCODES: Record<string, number> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
};
const EDE = 15;

export interface QuestionOptions {
  id?: number;
  type?: string;
  class?: "IN" | "CH" | "ANY";
  /** RD by default. */
  flags?: number;
  /** UDP payload size of an OPT record; none without, unless another of its fields is given. */
  edns?: number;
  dnssecOk?: boolean;
  /** Zero octets of padding (RFC 7830). */
  padding?: number;
  options?: { code: number; data: Buffer }[];
}

export interface AnswerRecord {
  name: string;
  type: string;
  ttl: number;
  /** As text: comparable, whatever the type. */
  data: string;
}

export interface Answer {
  id: number;
  rcode: string;
  flags: number;
  question: { name: string; type: string } | undefined;
  answers: AnswerRecord[];
  authorities: AnswerRecord[];
  additionals: AnswerRecord[];
  /** Extended DNS Errors (RFC 8914). */
  ede: { code: number; text: string }[];
  /** UDP payload size of the OPT record; undefined without one. */
  edns: number | undefined;
  padding: number;
  size: number;
  wire: Buffer;
}

let nextId = 1;

/** A question's bytes; ids count up unless given. */
export function encodeQuestion(name: string, options: QuestionOptions = {}): Buffer {
  const { id = nextId++ & 0xffff, type = "A", flags = FLAGS.RD, padding } = options;
  const extra = [...(options.options ?? [])];
  if (padding !== undefined) extra.push({ code: 12, data: Buffer.alloc(padding) });
  const opt = options.edns !== undefined || options.dnssecOk || extra.length > 0;
  const question = { name, type: packetType(type), class: options.class ?? "IN" };
  return packet.encode({
    type: "query",
    id,
    flags,
    questions: [question],
    additionals: opt
      ? [
          {
            type: "OPT",
            name: ".",
            udpPayloadSize: options.edns ?? 1232,
            flags: options.dnssecOk ? packet.DNSSEC_OK : 0,
            options: extra,
          } as unknown as packet.OptAnswer,
        ]
      : [],
  });
}

/** A question whose first label is of any octets. */
export function encodeOctetsQuestion(label: Buffer, zone: string): Buffer {
  const placeholder = "x".repeat(label.length);
  const question = encodeQuestion(`${placeholder}.${zone}`);
  label.copy(question, question.indexOf(placeholder));
  return question;
}

/** Reads an answer; throws on bytes that are not a DNS message. */
export function decodeAnswer(wire: Uint8Array): Answer {
  const buffer = Buffer.from(wire);
  const message = packet.decode(buffer) as packet.DecodedPacket & { rcode: string };
  const opt = message.additionals?.find((record): record is packet.OptAnswer => record.type === "OPT");
  const options = (opt?.options ?? []) as { code: number; data: Buffer; length?: number }[];
  const extended =
    (((opt as unknown as { extendedRcode?: number })?.extendedRcode ?? 0) << 4) | (buffer.readUInt16BE(2) & 15);
  const [question] = message.questions ?? [];
  return {
    id: message.id ?? 0,
    rcode: Object.keys(RCODES).find((key) => RCODES[key] === extended) ?? String(extended),
    flags: buffer.readUInt16BE(2),
    question: question && { name: question.name, type: question.type },
    answers: (message.answers ?? []).map(readRecord),
    authorities: (message.authorities ?? []).map(readRecord),
    additionals: (message.additionals ?? []).filter((record) => record !== opt).map(readRecord),
    ede: options
      .filter(({ code }) => code === EDE)
      .map(({ data }) => ({ code: data.readUInt16BE(0), text: data.toString("utf8", 2) })),
    edns: opt?.udpPayloadSize,
    padding: options.find(({ code }) => code === 12)?.data?.length ?? 0,
    size: buffer.length,
    wire: buffer,
  };
}

/** `NXDOMAIN ede 15`, `NOERROR A 192.0.2.1`: an answer in a line, TTLs left out. */
export function describeAnswer(answer: Answer): string {
  const records = answer.answers.map(({ name, type, data }) => `${name.toLowerCase()} ${type} ${data}`).sort();
  const ede = answer.ede.map(({ code }) => `ede ${code}`);
  return [answer.rcode, ...records, ...ede].join("; ");
}

function readRecord(record: packet.Answer): AnswerRecord {
  const { name, type, ttl = 0, data } = record as { name: string; type: string; ttl?: number; data: unknown };
  return { name, type, ttl, data: typeof data === "string" ? data : textOf(data) };
}

function textOf(data: unknown): string {
  if (Buffer.isBuffer(data)) return data.toString("hex");
  if (Array.isArray(data))
    return data.map((each) => (Buffer.isBuffer(each) ? each.toString() : String(each))).join(" ");
  if (typeof data === "object" && data !== null && "target" in data) {
    const { priority, weight, port, target } = data as {
      priority: number;
      weight: number;
      port: number;
      target: string;
    };
    return `${priority} ${weight} ${port} ${target}`;
  }
  return JSON.stringify(data);
}

/** What dns-packet calls a type that it does not know. */
export function packetType(type: string): packet.RecordType {
  return ({ SVCB: "UNKNOWN_64", HTTPS: "UNKNOWN_65" }[type] ?? type) as packet.RecordType;
}
