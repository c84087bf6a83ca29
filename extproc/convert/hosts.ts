/**
 * A hosts file: names at 0.0.0.0, :: and loopback are denied, as blocking lists mean it; all others are answered with
 * their addresses.
 */
import { isIP } from "node:net";
import { type Conversion, checkPattern, lineProblem, type Source } from "./conversion.ts";

/** Of the machine itself, in every hosts file. */
const OWN = /^(localhost(\.localdomain)?|local|broadcasthost|ip6-[a-z]+|0\.0\.0\.0)$/;

export interface Hosts {
  readonly denied: readonly string[];
  /** Addresses by name. */
  readonly answered: ReadonlyMap<string, readonly string[]>;
}

export function convertHosts(source: Source, conversion: Conversion, name: string): void {
  const { denied, answered } = readHosts(source, conversion);
  const rules = hostRules(answered);
  if (denied.length > 0) rules.push({ name: "blocked", match: { names: denied }, action: "Deny" });
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
  for (const [index, text] of source.text.split("\n").entries()) {
    const [address = "", ...names] = text.replace(/#.*/, "").trim().split(/\s+/);
    const left = (message: string) => conversion.left(lineProblem(source, index + 1, message));
    if (address === "") continue;
    const plain = address.replace(/%.*$/, "");
    if (isIP(plain) === 0 || names.length === 0) {
      left(`expected an address and names, got ${JSON.stringify(text.trim().slice(0, 60))}`);
      continue;
    }
    const blocks = /^(0\.0\.0\.0|127\.[\d.]+|::1?)$/.test(plain);
    for (const name of names) {
      if (OWN.test(name.toLowerCase())) {
        conversion.note(lineProblem(source, index + 1, `${name} is the machine's own, and no policy's`));
        continue;
      }
      const checked = checkPattern(name);
      if ("expected" in checked || name.includes("*")) {
        left(`expected ${"expected" in checked ? checked.expected : "one name"}, in ${JSON.stringify(name)}`);
      } else if (blocks) denied.add(checked.pattern);
      else answered.set(checked.pattern, [...new Set([...(answered.get(checked.pattern) ?? []), plain])]);
    }
  }
  for (const name of answered.keys()) {
    if (denied.delete(name))
      conversion.note(lineProblem(source, 0, `${name} is blocked and has an address: it is answered`));
  }
  return { denied: [...denied], answered };
}
