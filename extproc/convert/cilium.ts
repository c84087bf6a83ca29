/**
 * CiliumNetworkPolicy and its clusterwide kind: names of `rules.dns` and `toFQDNs` are accepted for the pods that such a policy
 * selects, and all others denied. There, what any policy allows a pod is allowed: so all that accept go before all that deny.
 */
import type { Path } from "../resources/problem.ts";
import { type PodSelection, readEndpointSelector } from "./cilium-selector.ts";
import {
  type Conversion,
  checkExpression,
  checkPattern,
  isMap,
  type Listed,
  listedRules,
  listOf,
  readYaml,
  type Source,
  type YamlDocument,
} from "./conversion.ts";

const KINDS = ["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"];

/** Of a namespace's policies: those that accept, and those that deny all other names. */
const ACCEPT_FROM = 100;
const DENY_FROM = 550;

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
  const { kind, metadata } = value as { kind: string; metadata?: { name?: string; namespace?: string } };
  for (const field of Object.keys(spec)) {
    if (["egress", "endpointSelector", "description", "labels"].includes(field)) continue;
    conversion.left(
      origin.problem([...path, field], `expected egress to names, got ${field}, which a DNS policy cannot say`),
    );
  }
  const allowed = readEgress(spec, path, origin, conversion);
  if (allowed === undefined) return;
  if (!isMap(spec.endpointSelector)) {
    conversion.left(origin.problem(path, "expected an endpointSelector, got none: nobody's pods are meant"));
    return;
  }
  const own = kind === "CiliumNetworkPolicy" ? (metadata?.namespace ?? "default") : undefined;
  const pods = readEndpointSelector(spec.endpointSelector, own);
  if (typeof pods === "string") {
    conversion.left(origin.problem([...path, "endpointSelector"], pods));
    return;
  }
  const name = [metadata?.namespace, metadata?.name ?? "policy"].filter((part) => part !== undefined).join("-");
  const add = pods.namespace === undefined ? addForAll : addForNamespace;
  add(name, pods, allowed, {
    conversion,
    problem: (message) => origin.problem([...path, "endpointSelector"], message),
  });
}

interface Place {
  readonly conversion: Conversion;
  readonly problem: (message: string) => ReturnType<YamlDocument["origin"]["problem"]>;
}

/** A tenant of each namespace, and what is said of its pods. */
function addForNamespace(
  name: string,
  { namespace = "", workloads }: PodSelection,
  allowed: Listed,
  { conversion, problem }: Place,
): void {
  const tenant = conversion.once(`namespace ${namespace}`, () => {
    const added = conversion.add("Tenant", namespace, { match: [{ namespaces: [namespace] }] });
    conversion.note(
      problem(`names that are allowed go where they go there, and here where Tenant ${added} has an upstream`),
    );
    return added;
  });
  const subject = { tenants: [tenant], ...(workloads === undefined ? {} : { workloads }) };
  const rules = listedRules("allowed", allowed, ACCEPT);
  const priority = (what: string, first: number) => conversion.nextPriority(`${tenant} ${what}`, first);
  if (rules.length > 0)
    conversion.add("DnsPolicy", name, { priority: priority("accept", ACCEPT_FROM), subject, rules });
  conversion.add("DnsPolicy", `${name}-others`, { priority: priority("deny", DENY_FROM), subject, rules: [OTHERS] });
}

/** Of pods of all namespaces: before what namespaces say, and after it. */
function addForAll(name: string, { workloads }: PodSelection, allowed: Listed, { conversion, problem }: Place): void {
  const subject = workloads === undefined ? {} : { workloads };
  const rules = listedRules("allowed", allowed, ACCEPT);
  const add = (full: string, tier: string, what: readonly object[]) =>
    conversion.add("ClusterDnsPolicy", full, { tier, priority: conversion.nextPriority(tier), subject, rules: what });
  if (rules.length > 0) add(name, "Admin", rules);
  add(`${name}-others`, "Baseline", [OTHERS]);
  conversion.note(problem("pods of every namespace are meant there, and here those of namespaces that a Tenant has"));
}

const ACCEPT = { action: "Accept" };

/** REFUSED is what Cilium answers, unless it is told otherwise. */
const OTHERS = { name: "others", match: { names: ["*"] }, action: "Deny", response: { code: "REFUSED" } };

/** Undefined where nothing is said of names. */
function readEgress(
  spec: Record<string, unknown>,
  path: Path,
  origin: YamlDocument["origin"],
  conversion: Conversion,
): Listed | undefined {
  const asked: Selected[] = [];
  const reached: Selected[] = [];
  let speaks = false;
  for (const [index, egress] of listOf(spec.egress).entries()) {
    const at: Path = [...path, "egress", index];
    const { selected, said } = readDnsRules(egress, at, origin, conversion);
    asked.push(...selected);
    const targets = listOf(isMap(egress) ? egress.toFQDNs : undefined);
    for (const [number, selector] of targets.entries()) {
      const target = readSelector(selector, [...at, "toFQDNs", number], origin, conversion);
      if (target !== undefined) reached.push(target);
    }
    if (targets.length > 0) {
      conversion.note(
        origin.problem([...at, "toFQDNs"], "connections to these names are limited there, looking them up is here"),
      );
    }
    if (said || targets.length > 0) speaks = true;
    else conversion.left(origin.problem(at, "expected rules.dns or toFQDNs, got egress that is not about names"));
  }
  if (!speaks) return undefined;
  const isEvery = (one: Selected) => "pattern" in one && one.pattern === "*";
  const narrowed = asked.some(isEvery) && reached.length > 0;
  if (narrowed) {
    const message = "every name may be looked up there, and some be reached: here only those may be looked up";
    conversion.note(origin.problem([...path, "egress"], message));
  }
  const all = [...asked.filter((one) => !narrowed || !isEvery(one)), ...reached];
  return {
    names: new Set(all.flatMap((one) => ("pattern" in one ? [one.pattern] : []))),
    regexes: new Set(all.flatMap((one) => ("regex" in one ? [one.regex] : []))),
  };
}

function readDnsRules(
  egress: unknown,
  path: Path,
  origin: YamlDocument["origin"],
  conversion: Conversion,
): { readonly selected: Selected[]; readonly said: boolean } {
  const selected: Selected[] = [];
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
      const one = readSelector(selector, [...path, "toPorts", port, "rules", "dns", index], origin, conversion);
      if (one !== undefined) selected.push(one);
    }
  }
  return { selected, said };
}

type Selected = { readonly pattern: string } | { readonly regex: string };

function readSelector(
  selector: unknown,
  path: Path,
  origin: YamlDocument["origin"],
  conversion: Conversion,
): Selected | undefined {
  const { matchName, matchPattern } = isMap(selector) ? selector : {};
  const text = String(matchName ?? matchPattern ?? "");
  const field = matchName === undefined ? "matchPattern" : "matchName";
  const read = matchName === undefined ? readPattern(text) : checkPattern(text.includes("*") ? "" : text);
  if ("expected" in read) {
    conversion.left(origin.problem([...path, field], `expected ${read.expected}, in ${JSON.stringify(text)}`));
    return undefined;
  }
  if (/^\*\.[^*]+$/.test(text)) {
    conversion.note(
      origin.problem([...path, field], `${text} is one label before the rest there, and one or more here`),
    );
  }
  return read;
}

/** What `*` stands for there: any characters of one label, also none. */
const IN_LABEL = "[-a-z0-9_]*";

/** There, `*` alone is every name, and `**.` in front any labels. */
function readPattern(text: string): Selected | { readonly expected: string } {
  if (/^\*{0,2}\.?[^*]*$/.test(text) && !/^\*+[^*.]/.test(text)) return checkPattern(text);
  if (!/^[-a-z0-9_.*]+$/i.test(text)) return { expected: "letters, digits, dashes, dots and *" };
  const [, front = "", rest = ""] = /^(\*\*\.)?(.*?)\.?$/.exec(text.toLowerCase()) ?? [];
  const labels = front === "" ? "" : "([-a-z0-9_]+\\.)+";
  return checkExpression(labels + rest.replaceAll(".", "\\.").replaceAll(/\*+/g, IN_LABEL));
}
