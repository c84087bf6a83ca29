/**
 * A response policy zone (draft-vixie-dnsop-dns-rpz) as rules: QNAME triggers with every action. The most specific name
 * comes first, as it wins there.
 */
import { parseRecord } from "../resources/record.ts";
import { type Conversion, checkPattern, lineProblem, type Source } from "./conversion.ts";

/** Of a zone that says no name, which then nobody needs to know. */
const NAMELESS = "rpz.invalid.";

const ZONE_TYPES = new Set([
  "SOA",
  "NS",
  "DNSKEY",
  "RRSIG",
  "NSEC",
  "NSEC3",
  "NSEC3PARAM",
  "DS",
  "CDS",
  "CDNSKEY",
  "ZONEMD",
]);
const TRIGGERS = ["rpz-ip", "rpz-client-ip", "rpz-nsdname", "rpz-nsip"];

type Action = "NXDOMAIN" | "NODATA" | "Pass" | "Drop" | "TcpOnly";
const ACTIONS: Readonly<Record<string, Action>> = {
  ".": "NXDOMAIN",
  "*.": "NODATA",
  "rpz-passthru.": "Pass",
  "rpz-drop.": "Drop",
  "rpz-tcp-only.": "TcpOnly",
};

interface Trigger {
  readonly pattern: string;
  /** Exact names first, then those below a name: the longer, the earlier. */
  readonly rank: number;
  action: Action | undefined;
  readonly records: string[];
}

interface ZoneLine {
  readonly line: number;
  readonly owner: string;
  readonly type: string;
  readonly data: readonly string[];
}

export function convertRpz(source: Source, conversion: Conversion, name: string): void {
  const triggers = new Map<string, Trigger>();
  const lines = readZone(source, conversion);
  const zone = lines.find(({ type }) => type === "SOA")?.owner ?? NAMELESS;
  for (const { line, owner, type, data } of lines) {
    const left = (message: string) => conversion.left(lineProblem(source, line, message));
    if (ZONE_TYPES.has(type)) continue;
    const suffix = `.${zone}`;
    if (!owner.endsWith(suffix)) {
      left(`expected an owner below ${zone}, got ${owner}`);
      continue;
    }
    const text = owner.slice(0, -suffix.length);
    const trigger = TRIGGERS.find((one) => text === one || text.endsWith(`.${one}`));
    const checked = checkPattern(text);
    if (trigger !== undefined) left(`expected a name as trigger, got ${trigger}, which no rule asks for`);
    else if ("expected" in checked) left(`expected ${checked.expected}, in ${JSON.stringify(text)}`);
    else {
      const { pattern } = checked;
      const rank = pattern.startsWith("*") ? 1000 - pattern.split(".").length : 0;
      const known = triggers.get(pattern) ?? { pattern, rank, action: undefined, records: [] };
      const problem = readAction(known, text, type, data);
      if (problem === undefined) triggers.set(pattern, known);
      else left(problem);
    }
  }
  const rules = toRules([...triggers.values()].sort((a, b) => a.rank - b.rank));
  conversion.addAdminRules(name, rules);
}

/** What was expected, where it is no action of ours. */
function readAction(trigger: Trigger, owner: string, type: string, data: readonly string[]): string | undefined {
  const [target = ""] = data;
  const action = target.toLowerCase() === `${owner}.` ? "Pass" : ACTIONS[target.toLowerCase()];
  if (type === "CNAME" && action !== undefined) {
    if (trigger.action !== undefined || trigger.records.length > 0)
      return "expected one action for a name, got another one";
    trigger.action = action;
    return undefined;
  }
  if (type === "CNAME" && /^rpz-[a-z-]+\.$/i.test(target)) return `expected an action, got ${target}`;
  if (trigger.action !== undefined) return "expected one action for a name, got records beside it";
  const text = `${type} ${data.join(" ")}`;
  const record = parseRecord(text);
  if (typeof record === "string") return `expected ${record}, got ${JSON.stringify(text)}`;
  if (trigger.records.length > 0 && (type === "CNAME" || trigger.records[0]?.startsWith("CNAME ")))
    return "expected a CNAME alone, got other records beside it";
  trigger.records.push(text);
  return undefined;
}

const RULES: Readonly<Record<Action, (names: readonly string[]) => object[]>> = {
  NXDOMAIN: (names) => [{ name: "nxdomain", match: { names }, action: "Deny", response: { code: "NXDOMAIN" } }],
  NODATA: (names) => [{ name: "nodata", match: { names }, action: "Deny", response: { code: "NODATA" } }],
  Pass: (names) => [{ name: "passthru", match: { names }, action: "Pass" }],
  Drop: (names) => [{ name: "drop", match: { names }, action: "Deny", response: { code: "Drop" } }],
  // Over TCP, what is truncated over UDP is answered as if nothing were.
  TcpOnly: (names) => [
    { name: "tcp-only", match: { names, transports: ["UDP"] }, action: "Deny", response: { code: "Truncate" } },
    { name: "by-tcp", match: { names }, action: "Pass" },
  ],
};

/** Names of one rank do not meet: of each, those with one action are one rule. */
function toRules(triggers: readonly Trigger[]): object[] {
  const rules: object[] = [];
  for (const rank of new Set(triggers.map((one) => one.rank))) {
    const same = triggers.filter((one) => one.rank === rank);
    for (const action of Object.keys(RULES) as Action[]) {
      const names = same.filter((one) => one.action === action).map(({ pattern }) => pattern);
      if (names.length > 0) rules.push(...RULES[action](names));
    }
    for (const { pattern, records } of same.filter((one) => one.records.length > 0)) {
      rules.push({ name: "data", match: { names: [pattern] }, action: "Answer", answer: { records } });
    }
  }
  return rules.map((rule, index) => ({ ...rule, name: `${(rule as { name: string }).name}-${index + 1}` }));
}

/** Records in the order of the file; SOA and its kin without their data. */
function readZone(source: Source, conversion: Conversion): ZoneLine[] {
  const records: ZoneLine[] = [];
  let origin = NAMELESS;
  let owner = "";
  let depth = 0;
  let open: { line: number; text: string } | undefined;
  for (const [index, raw] of source.text.split("\n").entries()) {
    const text = raw.replace(/"(?:[^"\\]|\\.)*"|;.*/g, (token) => (token.startsWith(";") ? "" : token)).trimEnd();
    const bare = text.replaceAll(/"(?:[^"\\]|\\.)*"/g, "");
    depth += bare.split("(").length - bare.split(")").length;
    open = open === undefined ? { line: index + 1, text } : { ...open, text: `${open.text} ${text}` };
    if (depth > 0) continue;
    const { line, text: whole } = open;
    open = undefined;
    depth = 0;
    if (whole.trim() === "") continue;
    const left = (message: string) => conversion.left(lineProblem(source, line, message));
    const fields = whole.match(/"(?:[^"\\]|\\.)*"|[^\s()]+/g) ?? [];
    const absolute = (name: string) => {
      if (name === "@") return origin;
      return (name.endsWith(".") ? name : `${name}.${origin}`).toLowerCase();
    };
    if (fields[0]?.startsWith("$")) {
      if (fields[0] === "$ORIGIN") origin = absolute(fields[1] ?? "@");
      else if (fields[0] !== "$TTL") left(`expected $ORIGIN or $TTL, got ${fields[0]}`);
      continue;
    }
    if (!/^\s/.test(whole)) owner = absolute(fields.shift() ?? "@");
    while (fields.length > 0 && /^(\d+[smhdw\d]*|IN)$/i.test(fields[0] ?? "")) fields.shift();
    const [type = "", ...data] = fields;
    const named = ["CNAME", "NS", "PTR", "MX", "SRV", "DNAME"].includes(type.toUpperCase());
    const last = data.at(-1) ?? "";
    if (named && !last.endsWith(".")) data[data.length - 1] = absolute(last);
    records.push({ line, owner, type: type.toUpperCase(), data });
  }
  if (open !== undefined)
    conversion.left(lineProblem(source, open.line, "expected a closing parenthesis, got the end of the file"));
  return records;
}
