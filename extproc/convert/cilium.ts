/**
 * CiliumNetworkPolicy and its clusterwide kind: names of `rules.dns` and `toFQDNs` are accepted, and all others denied,
 * as they are there for an endpoint that such a rule selects.
 */
import type { Path } from "../resources/problem.ts";
import {
  type Conversion,
  checkPattern,
  isMap,
  listOf,
  readYaml,
  type Source,
  type YamlDocument,
} from "./conversion.ts";

const KINDS = ["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"];

const PRIORITY = 100;

export function convertCilium(source: Source, conversion: Conversion): void {
  for (const document of readYaml(source, conversion)) {
    const { value, origin } = document;
    if (!isMap(value) || !KINDS.includes(String(value.kind))) {
      const kind = isMap(value) ? String(value.kind) : "no map";
      conversion.left(origin.problem(["kind"], `expected one of ${KINDS.join(", ")}, got ${kind}`));
      continue;
    }
    if (value.spec !== undefined) convertSpec(document, ["spec"], value.spec, conversion);
    for (const [index, spec] of listOf(value.specs).entries())
      convertSpec(document, ["specs", index], spec, conversion);
  }
}

function convertSpec({ value, origin }: YamlDocument, path: Path, spec: unknown, conversion: Conversion): void {
  if (!isMap(spec)) {
    conversion.left(origin.problem(path, "expected a map, got something else"));
    return;
  }
  const { name = "policy", namespace } = (value as { metadata?: { name?: string; namespace?: string } }).metadata ?? {};
  const asked: string[] = [];
  const reached: string[] = [];
  let speaks = false;
  for (const field of Object.keys(spec)) {
    if (["egress", "endpointSelector", "description", "labels"].includes(field)) continue;
    conversion.left(
      origin.problem([...path, field], `expected egress to names, got ${field}, which a DNS policy cannot say`),
    );
  }
  for (const [index, egress] of listOf(spec.egress).entries()) {
    const at: Path = [...path, "egress", index];
    const { names, said } = readDnsRules(egress, at, origin, conversion);
    asked.push(...names);
    const targets = listOf(isMap(egress) ? egress.toFQDNs : undefined);
    for (const [number, selector] of targets.entries()) {
      const pattern = readSelector(selector, [...at, "toFQDNs", number], origin, conversion);
      if (pattern !== undefined) reached.push(pattern);
    }
    if (targets.length > 0) {
      conversion.note(
        origin.problem([...at, "toFQDNs"], "connections to these names are limited there, looking them up is here"),
      );
    }
    if (said || targets.length > 0) speaks = true;
    else conversion.left(origin.problem(at, "expected rules.dns or toFQDNs, got egress that is not about names"));
  }
  if (!speaks) return;
  const narrowed = asked.includes("*") && reached.length > 0;
  if (narrowed) {
    const message = "every name may be looked up there, and some be reached: here only those may be looked up";
    conversion.note(origin.problem([...path, "egress"], message));
  }
  const names = [...new Set(narrowed ? [...asked.filter((one) => one !== "*"), ...reached] : [...asked, ...reached])];
  const full = namespace === undefined ? name : `${namespace}-${name}`;
  const tenant = conversion.add("Tenant", full, {});
  const selector = JSON.stringify(spec.endpointSelector ?? spec.nodeSelector ?? {});
  const message = `expected principals or CIDRs to know clients by, got labels ${selector}: add a match to Tenant ${tenant}`;
  conversion.left(origin.problem([...path, "endpointSelector"], message));
  const accept = { name: "allowed", match: { names }, action: "Accept" };
  conversion.add("DnsPolicy", full, {
    priority: PRIORITY,
    subject: { tenants: [tenant] },
    // REFUSED is what Cilium answers, unless it is told otherwise.
    rules: [
      ...(names.length > 0 ? [accept] : []),
      { name: "others", match: { names: ["*"] }, action: "Deny", response: { code: "REFUSED" } },
    ],
  });
}

function readDnsRules(
  egress: unknown,
  path: Path,
  origin: YamlDocument["origin"],
  conversion: Conversion,
): { readonly names: string[]; readonly said: boolean } {
  const names: string[] = [];
  let said = false;
  for (const [port, entry] of listOf(isMap(egress) ? egress.toPorts : undefined).entries()) {
    const rules = isMap(entry) && isMap(entry.rules) ? entry.rules : {};
    for (const kind of Object.keys(rules)) {
      if (kind !== "dns")
        conversion.left(
          origin.problem([...path, "toPorts", port, "rules", kind], `expected rules.dns, got rules.${kind}`),
        );
    }
    if (rules.dns === undefined) continue;
    said = true;
    for (const [index, selector] of listOf(rules.dns).entries()) {
      const pattern = readSelector(selector, [...path, "toPorts", port, "rules", "dns", index], origin, conversion);
      if (pattern !== undefined) names.push(pattern);
    }
  }
  return { names, said };
}

/** There, `*` is any characters of one label, and `**.` any labels. */
function readSelector(
  selector: unknown,
  path: Path,
  origin: YamlDocument["origin"],
  conversion: Conversion,
): string | undefined {
  const { matchName, matchPattern } = isMap(selector) ? selector : {};
  const text = String(matchName ?? matchPattern ?? "");
  const field = matchName === undefined ? "matchPattern" : "matchName";
  const checked = checkPattern(matchName === undefined || !text.includes("*") ? text : "");
  if ("expected" in checked) {
    conversion.left(origin.problem([...path, field], `expected ${checked.expected}, in ${JSON.stringify(text)}`));
    return undefined;
  }
  if (/^\*\.[^*]+$/.test(text)) {
    conversion.note(
      origin.problem([...path, field], `${text} is one label before the rest there, and one or more here`),
    );
  }
  return checked.pattern;
}
