/**
 * Tricks: everything that has been tried against filters of names, over every transport: the first time answers are new,
 * and from then on they are kept.
 */
import { parseName } from "../../../extproc/resources/name-pattern.ts";
import { parseRecord } from "../../../extproc/resources/record.ts";
import { type Answer, describeAnswer } from "../../e2e/dns.ts";
import { Stack } from "../../e2e/stack.ts";
import { Asker } from "../../e2e/target.ts";
import { anyZone, tenants } from "../policies.ts";
import type { Proof, Report } from "../proof.ts";
import { openWays, WAYS } from "../transports.ts";
import { CORPUS, type Expected, POLICY, type Trick } from "./corpus.ts";

const DEFAULT_SAYS = ["@ 60 A 192.0.2.1"];

export const tricks: Proof = {
  name: "tricks",
  what: `${CORPUS.length} tricks with names, types, targets and addresses: all judged right, over every transport`,
  async run(_scale, report) {
    const stack = await Stack.start({
      policy: `${tenants}\n---\n${POLICY}`,
      upstreams: { public: { zone: anyZone } },
    });
    try {
      await play(stack, report);
    } finally {
      await stack.stop();
    }
  },
};

async function play(stack: Stack, report: Report): Promise<void> {
  const upstream = stack.upstream();
  const answers = new Map(CORPUS.map((trick) => [keyOf(questionOf(trick)), trick]));
  const left = new Set<string>();
  upstream.script = ({ wire }) => {
    const question = sectionOf(wire);
    left.add(keyOf(question));
    return { messages: [reply(wire, question, answers.get(keyOf(question)))] };
  };
  let asked = 0;
  let wrong = 0;
  for (const way of WAYS) {
    // One way after the other, on new connections: those that nobody uses are ended.
    const { ways, close } = await openWays(new Asker(stack.target), "frontend");
    try {
      for (const trick of CORPUS) {
        const answer = await ways.get(way)?.(query(questionOf(trick)));
        if (answer === undefined) continue;
        asked++;
        const fault = compare(trick.expect, answer);
        if (fault !== undefined) wrong++;
        const where = `${trick.trick}: ${JSON.stringify(trick.name)} ${trick.type ?? 1} over ${way}`;
        report.check(fault === undefined, `${where}: expected ${fault}, got ${describeAnswer(answer)}`);
      }
    } finally {
      await close();
    }
  }
  const stays = CORPUS.filter(({ expect }) => expect === "denied name" || expect === "denied type");
  const leaked = stays.filter((trick) => left.has(keyOf(questionOf(trick))));
  report.figure("tricks", CORPUS.length);
  report.figure("ways", WAYS.length);
  report.atLeast("answers", asked, CORPUS.length * WAYS.length);
  report.atMost("answers that were wrong", wrong, 0);
  report.atMost("denied questions that reached the upstream", leaked.length, 0);
  report.check(leaked.length === 0, `expected to stay here: ${leaked.map(({ trick }) => trick).join(", ")}`);
}

/** What was expected instead; undefined where the answer is right. */
function compare(expect: Expected, { rcode, answers, ede }: Answer): string | undefined {
  const is = (wanted: string, records: number, code?: number) =>
    rcode === wanted && answers.length === records && (code === undefined || ede.some((one) => one.code === code))
      ? undefined
      : `${wanted} with ${records} records${code === undefined ? "" : ` and EDE ${code}`}`;
  if (typeof expect === "number") return is("NOERROR", expect) ?? (ede.length > 0 ? "no EDE" : undefined);
  switch (expect) {
    case "denied name":
    case "denied target":
      return is("NXDOMAIN", 0, BLOCKED);
    case "denied type":
    case "denied answer":
      return is("NOERROR", 0, BLOCKED);
    case "refused":
      return is("REFUSED", 0, NOT_SUPPORTED);
    case "no type":
      return is("NOTIMP", 0, NOT_SUPPORTED);
    case "minimal":
      return is("NOERROR", 1);
    case "failed":
      return is("SERVFAIL", 0);
  }
}

/** INFO-CODEs of RFC 8914. */
const BLOCKED = 15;
const NOT_SUPPORTED = 21;

// ---- messages, octet for octet: dns-packet knows no label with a dot in it ------------------------------------------

function questionOf({ name, type = 1, class: clazz = 1 }: Trick): Buffer {
  const labels = name.flatMap((label) => [Buffer.of(label.length), Buffer.from(label, "latin1")]);
  return Buffer.concat([...labels, Buffer.of(0), u16(type, clazz)]);
}

let nextId = 1;

/** With an OPT record, so that reasons come back. */
function query(question: Buffer): Buffer {
  const id = nextId++ & 0xffff;
  return Buffer.concat([u16(id, 0x0100, 1, 0, 0, 1), question, Buffer.of(0), u16(41, 1232, 0, 0, 0)]);
}

function sectionOf(wire: Buffer): Buffer {
  let end = 12;
  while (end < wire.length && (wire[end] ?? 0) !== 0) end += (wire[end] ?? 0) + 1;
  return wire.subarray(12, end + 5);
}

/** Names are compared without case (RFC 4343). */
function keyOf(question: Buffer): string {
  return question.toString("latin1").replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function reply(wire: Buffer, question: Buffer, trick: Trick | undefined): Buffer {
  const answers = (trick?.says ?? DEFAULT_SAYS).map((line) => record(line, question));
  const additionals = (trick?.adds ?? []).map((line) => record(line, question));
  const header = u16(wire.readUInt16BE(0), 0x8180, 1, answers.length, 0, additionals.length);
  return Buffer.concat([header, question, ...answers, ...additionals]);
}

/** `owner TTL type data`; `@` is the question's name. */
function record(line: string, question: Buffer): Buffer {
  const [owner = "", ttl = "", ...rest] = line.split(" ");
  const name = owner === "@" ? u16(0xc00c) : Buffer.from(parseName(owner).wire);
  const asked = question.subarray(0, -4);
  const toItself = rest.join(" ") === "CNAME @";
  const data = toItself ? { type: 5, data: asked } : parseRecord(rest.join(" "));
  if (typeof data === "string") throw new Error(`expected ${data}, got "${line}"`);
  const numbers = Buffer.alloc(4);
  numbers.writeUInt32BE(Number(ttl));
  return Buffer.concat([name, u16(data.type, 1), numbers, u16(data.data.length), data.data]);
}

function u16(...values: number[]): Buffer {
  const octets = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) octets.writeUInt16BE(value, index * 2);
  return octets;
}
