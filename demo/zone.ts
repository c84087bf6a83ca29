/**
 * A zone file (RFC 1035 §5) and what it answers. A subset: $ORIGIN, $TTL, parentheses, comments, quoted strings, and
 * the types below; one file may hold several zones, each with its SOA.
 */
import type { Answer } from "dns-packet";

export interface ZoneAnswer {
  rcode: "NOERROR" | "NXDOMAIN";
  answers: Answer[];
  authorities: Answer[];
}

/** RFC 1034 §3.6.2 leaves the length of a CNAME chain open. */
const longestChain = 16;

export class Zone {
  readonly #records = new Map<string, Answer[]>();
  /** Names with records at or below them: the ones that exist. */
  readonly #existing = new Set<string>();

  constructor(records: Answer[]) {
    for (const record of records) {
      const name = key(record.name);
      const list = this.#records.get(name);
      if (list) list.push(record);
      else this.#records.set(name, [record]);
      for (const ancestor of ancestors(name)) this.#existing.add(ancestor);
    }
  }

  /** The answer to a question, CNAMEs followed as far as the file knows them. */
  answer(name: string, type: string): ZoneAnswer {
    const answers: Answer[] = [];
    let target = key(name);
    for (let hop = 0; hop <= longestChain; hop++) {
      const records = this.#at(target, hop === 0 ? name : target);
      const found = records.filter((record) => record.type === type || type === "ANY");
      if (found.length > 0) return { rcode: "NOERROR", answers: [...answers, ...found], authorities: [] };
      const alias = records.find((record) => record.type === "CNAME");
      if (alias?.type !== "CNAME") {
        const rcode = records.length > 0 || this.#existing.has(target) ? "NOERROR" : "NXDOMAIN";
        return { rcode, answers, authorities: this.#soa(target) };
      }
      answers.push(alias);
      target = key(alias.data);
    }
    return { rcode: "NOERROR", answers, authorities: [] };
  }

  /** Records at a name, or of the wildcard that covers it (RFC 4592). */
  #at(name: string, asked: string): Answer[] {
    const own = this.#records.get(name);
    if (own || this.#existing.has(name)) return (own ?? []).map((record) => ({ ...record, name: asked }));
    for (const ancestor of ancestors(name)) {
      if (ancestor === name || !this.#existing.has(ancestor)) continue;
      const wildcard = this.#records.get(ancestor === "" ? "*" : `*.${ancestor}`) ?? [];
      return wildcard.map((record) => ({ ...record, name: asked }));
    }
    return [];
  }

  #soa(name: string): Answer[] {
    for (const ancestor of ancestors(name)) {
      const soa = this.#records.get(ancestor)?.find((record) => record.type === "SOA");
      if (soa) return [soa];
    }
    return [];
  }
}

/** The name and every name above it, the root last. */
function* ancestors(name: string): Iterable<string> {
  let rest = name;
  while (rest !== "") {
    yield rest;
    const dot = rest.indexOf(".");
    rest = dot < 0 ? "" : rest.slice(dot + 1);
  }
  yield "";
}

function key(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

/** Reads a zone file; errors name the file and the line. */
export function parseZone(text: string, file = "zone"): Zone {
  const records: Answer[] = [];
  const state = { origin: "", ttl: 3600, owner: "" };
  for (const { line, indented, words } of entries(text)) {
    try {
      if (words[0] === "$ORIGIN") state.origin = absolute(words[1], "");
      else if (words[0] === "$TTL") state.ttl = number(words[1]);
      else records.push(readRecord(words, indented, state));
    } catch (error) {
      throw new Error(`${file}:${line}: ${(error as Error).message}`);
    }
  }
  return new Zone(records);
}

interface Entry {
  line: number;
  /** Starts with white space: has the owner of the entry before. */
  indented: boolean;
  words: string[];
}

function* entries(text: string): Iterable<Entry> {
  let open: Entry | undefined;
  for (const [index, source] of text.split(/\r?\n/).entries()) {
    const words = source.match(/"(?:[^"\\]|\\.)*"|;.*|[()]|[^\s();]+/g) ?? [];
    const kept = words.filter((word) => !word.startsWith(";"));
    const entry: Entry = open ?? { line: index + 1, indented: /^\s/.test(source), words: [] };
    entry.words.push(...kept.filter((word) => word !== "(" && word !== ")"));
    if (kept.includes("(")) open = entry;
    if (kept.includes(")")) open = undefined;
    if (!open && entry.words.length > 0) yield entry;
  }
}

function readRecord(words: string[], indented: boolean, state: { origin: string; ttl: number; owner: string }): Answer {
  const rest = [...words];
  if (!indented) state.owner = absolute(rest.shift(), state.origin);
  let ttl = state.ttl;
  while (rest[0] === "IN" || /^\d+$/.test(rest[0] ?? "")) {
    const word = rest.shift();
    if (word !== "IN") ttl = number(word);
  }
  const type = rest.shift() ?? "";
  return { name: state.owner, ttl, class: "IN", ...data(type, rest, state.origin) } as Answer;
}

function data(type: string, words: string[], origin: string): object {
  const name = (index: number): string => absolute(words[index], origin);
  const int = (index: number): number => number(words[index]);
  switch (type) {
    case "A":
    case "AAAA":
      return { type, data: expected(words[0]) };
    case "CNAME":
    case "NS":
    case "PTR":
      return { type, data: name(0) };
    case "MX":
      return { type, data: { preference: int(0), exchange: name(1) } };
    case "SRV":
      return { type, data: { priority: int(0), weight: int(1), port: int(2), target: name(3) } };
    case "TXT":
      return { type, data: words.map((word) => word.replace(/^"|"$/g, "").replace(/\\(.)/g, "$1")) };
    case "CAA":
      return {
        type,
        data: { flags: int(0), tag: expected(words[1]), value: expected(words[2]).replace(/^"|"$/g, "") },
      };
    case "SOA":
      return {
        type,
        data: {
          mname: name(0),
          rname: name(1),
          serial: int(2),
          refresh: int(3),
          retry: int(4),
          expire: int(5),
          minimum: int(6),
        },
      };
    default:
      throw new Error(`expected a record type that this reader knows, got ${type || "nothing"}`);
  }
}

/** A name without its last dot; the root is "". */
function absolute(word: string | undefined, origin: string): string {
  const name = expected(word);
  if (name === "@") return origin;
  if (name.endsWith(".")) return name.slice(0, -1);
  return origin === "" ? name : `${name}.${origin}`;
}

function number(word: string | undefined): number {
  if (!/^\d+$/.test(word ?? "")) throw new Error(`expected a number, got ${word ?? "nothing"}`);
  return Number(word);
}

function expected(word: string | undefined): string {
  if (word === undefined) throw new Error("expected a value, got nothing");
  return word;
}
