/**
 * A response policy zone (draft-vixie-dnsop-dns-rpz) as rules: QNAME triggers with every action, and those that are addresses of
 * answers. The most specific name and the smallest block come first, as they win there.
 */
import { actionOf, isOfZone, RPZ_ACTIONS, type RpzAction, type RpzRecord, triggerOf } from "../lists/rpz.ts";
import { NAMELESS, readZoneFile } from "../lists/zone-file.ts";
import { parseRecord } from "../resources/record.ts";
import { type Conversion, checkPattern, lineProblem, type Source } from "./conversion.ts";
import { type AddressTrigger, readAddressTrigger } from "./rpz-addresses.ts";

interface Trigger {
  readonly pattern: string;
  /** Exact names first, then those below a name: the longer, the earlier. */
  readonly rank: number;
  action: RpzAction | undefined;
  readonly records: string[];
}

export function convertRpz(source: Source, conversion: Conversion, name: string): void {
  const triggers = new Map<string, Trigger>();
  const addresses: AddressTrigger[] = [];
  const left = (line: number, message: string) => conversion.left(lineProblem(source, line, message));
  const records = [...readZoneFile(source.text, left)];
  const zone = records.find(({ type }) => type === "SOA")?.owner ?? NAMELESS;
  for (const record of records) {
    if (isOfZone(record)) continue;
    const address = readAddressTrigger(record.owner.slice(0, -zone.length - 1), record);
    if (typeof address === "string") left(record.line, address);
    if (typeof address === "object") {
      addresses.push(address);
      if (address.note !== undefined) conversion.note(lineProblem(source, record.line, address.note));
    }
    if (address !== undefined) continue;
    const trigger = triggerOf(record, zone);
    const checked = "name" in trigger ? checkPattern(trigger.name) : undefined;
    if (!("name" in trigger)) left(record.line, trigger.expected);
    else if (checked === undefined || "expected" in checked)
      left(record.line, `expected ${checked?.expected}, in ${JSON.stringify(trigger.name)}`);
    else {
      const { pattern } = checked;
      const rank = pattern.startsWith("*") ? 1000 - pattern.split(".").length : 0;
      const known = triggers.get(pattern) ?? { pattern, rank, action: undefined, records: [] };
      const problem = addRecord(known, trigger.name, record);
      if (problem === undefined) triggers.set(pattern, known);
      else left(record.line, problem);
    }
  }
  const all = [...triggers.values()];
  const action = onlyAction(all);
  // What the zone lets pass, its list excepts.
  const whole = action && conversion.matchFile(name, "RPZ", source, all.length);
  const rules = whole
    ? RULES[action](whole)
    : toRules(
        all.sort((a, b) => a.rank - b.rank),
        (names) => conversion.matchNames(name, names),
      );
  conversion.addAdminRules(name, rules, toResponseRules(addresses));
}

/** Blocks in the order in which they are asked: with the same length, they do not meet. */
function toResponseRules(triggers: readonly AddressTrigger[]): object[] {
  const lengthOf = ({ block }: AddressTrigger) => Number(block.split("/")[1]);
  const groups = new Map<string, AddressTrigger[]>();
  for (const trigger of triggers.toSorted((a, b) => lengthOf(b) - lengthOf(a))) {
    const key = `${lengthOf(trigger)} ${JSON.stringify(trigger.what)}`;
    groups.set(key, [...(groups.get(key) ?? []), trigger]);
  }
  return [...groups.values()].map((same, index) => ({
    name: `addresses-${index + 1}`,
    match: { addresses: [...new Set(same.map(({ block }) => block))] },
    ...same[0]?.what,
  }));
}

/** What becomes of every name that the zone does not let pass; undefined where that differs. */
function onlyAction(triggers: readonly Trigger[]): RpzAction | undefined {
  const [first, ...others] = new Set(triggers.map(({ action }) => action).filter((action) => action !== "Pass"));
  return others.length > 0 ? undefined : first;
}

/** What was expected, where it is no action of ours. */
function addRecord(trigger: Trigger, name: string, record: RpzRecord): string | undefined {
  const { type, data } = record;
  const [target = ""] = data;
  const action = actionOf(name, record);
  if (action !== undefined) {
    if (trigger.action !== undefined || trigger.records.length > 0)
      return "expected one action for a name, got another one";
    trigger.action = action;
    return undefined;
  }
  if (type === "CNAME" && /^rpz-[a-z-]+\.$/i.test(target)) return `expected an action, got ${target}`;
  if (trigger.action !== undefined) return "expected one action for a name, got records beside it";
  const text = `${type} ${data.join(" ")}`;
  const parsed = parseRecord(text);
  if (typeof parsed === "string") return `expected ${parsed}, got ${JSON.stringify(text)}`;
  if (trigger.records.length > 0 && (type === "CNAME" || trigger.records[0]?.startsWith("CNAME ")))
    return "expected a CNAME alone, got other records beside it";
  trigger.records.push(text);
  return undefined;
}

type Match = ReturnType<Conversion["matchNames"]>;

const RULES: Readonly<Record<RpzAction, (match: Match) => object[]>> = {
  NXDOMAIN: (match) => [{ name: "nxdomain", match, action: "Deny", response: { code: "NXDOMAIN" } }],
  NODATA: (match) => [{ name: "nodata", match, action: "Deny", response: { code: "NODATA" } }],
  Pass: (match) => [{ name: "passthru", match, action: "Pass" }],
  Drop: (match) => [{ name: "drop", match, action: "Deny", response: { code: "Drop" } }],
  // Over TCP, what is truncated over UDP is answered as if nothing were.
  TcpOnly: (match) => [
    { name: "tcp-only", match: { ...match, transports: ["UDP"] }, action: "Deny", response: { code: "Truncate" } },
    { name: "by-tcp", match, action: "Pass" },
  ],
};

/** Names of one rank do not meet: of each, those with one action are one rule. */
function toRules(triggers: readonly Trigger[], matchOf: (names: readonly string[]) => Match): object[] {
  const rules: object[] = [];
  for (const rank of new Set(triggers.map((one) => one.rank))) {
    const same = triggers.filter((one) => one.rank === rank);
    for (const action of RPZ_ACTIONS) {
      const names = same.filter((one) => one.action === action).map(({ pattern }) => pattern);
      if (names.length > 0) rules.push(...RULES[action](matchOf(names)));
    }
    for (const { pattern, records } of same.filter((one) => one.records.length > 0)) {
      rules.push({ name: "data", match: { names: [pattern] }, action: "Answer", answer: { records } });
    }
  }
  return rules.map((rule, index) => ({ ...rule, name: `${(rule as { name: string }).name}-${index + 1}` }));
}
