/**
 * A hosts file: names at 0.0.0.0, :: and loopback are denied, as blocking lists mean it; all others are answered with
 * their addresses.
 */
import { isIP } from "node:net";
import { readHostsFile } from "../lists/hosts-file.ts";
import { type Conversion, checkPattern, lineProblem, type Source } from "./conversion.ts";

export interface Hosts {
  readonly denied: readonly string[];
  /** Addresses by name. */
  readonly answered: ReadonlyMap<string, readonly string[]>;
}

export function convertHosts(source: Source, conversion: Conversion, name: string): void {
  const { denied, answered } = readHosts(source, conversion);
  const rules = hostRules(answered);
  if (denied.length > 0) {
    // Names that are answered are in the file, too: their rules come first.
    const match = conversion.matchFile(name, "Hosts", source, denied.length) ?? conversion.matchNames(name, denied);
    rules.push({ name: "blocked", match, action: "Deny" });
  }
  conversion.addAdminRules(name, rules);
}

/** A rule for all names with the same addresses. */
export function hostRules(answered: Hosts["answered"]): object[] {
  const groups = new Map<string, string[]>();
  for (const [name, addresses] of answered) {
    const key = addresses.toSorted().join(" ");
    groups.set(key, [...(groups.get(key) ?? []), name]);
  }
  return [...groups].map(([key, names], index) => {
    const records = key.split(" ").map((address) => `${isIP(address) === 6 ? "AAAA" : "A"} ${address}`);
    return { name: `host-${index + 1}`, match: { names }, action: "Answer", answer: { records } };
  });
}

export function readHosts(source: Source, conversion: Conversion): Hosts {
  const denied = new Set<string>();
  const answered = new Map<string, string[]>();
  const left = (line: number, message: string) => conversion.left(lineProblem(source, line, message));
  for (const { line, address, name, own } of readHostsFile(source.text, left)) {
    if (own) {
      conversion.note(lineProblem(source, line, `${name} is the machine's own, and no policy's`));
      continue;
    }
    const checked = checkPattern(name);
    if ("expected" in checked || name.includes("*")) {
      left(line, `expected ${"expected" in checked ? checked.expected : "one name"}, in ${JSON.stringify(name)}`);
    } else if (isBlocking(address)) denied.add(checked.pattern);
    else answered.set(checked.pattern, [...new Set([...(answered.get(checked.pattern) ?? []), address])]);
  }
  for (const name of answered.keys()) {
    if (denied.delete(name))
      conversion.note(lineProblem(source, 0, `${name} is blocked and has an address: it is answered`));
  }
  return { denied: [...denied], answered };
}

/** Where nobody is: names there are not to be found. */
function isBlocking(address: string): boolean {
  return /^(0\.0\.0\.0|127\.[\d.]+|::1?)$/.test(address);
}
