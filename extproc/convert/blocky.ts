/**
 * blocky's configuration: client groups, lists that stand in it, its own names, conditional and group upstreams.
 */
import type { Path, Problem } from "../resources/problem.ts";
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
  toBlock,
} from "./conversion.ts";
import { addTenant, addUpstream } from "./groups.ts";

/** Fields that are read; of all others it is said that they are not. */
const FIELDS = ["upstreams", "blocking", "customDNS", "conditional"];
const BLOCKING = ["denylists", "allowlists", "blackLists", "whiteLists", "clientGroupsBlock", "blockType", "blockTTL"];

type At = (path: Path, message: string) => Problem;

export function convertBlocky(source: Source, conversion: Conversion): void {
  const [document] = readYaml(source, conversion);
  if (document === undefined || !isMap(document.value)) return;
  const { value: config, origin } = document;
  const at: At = (path, message) => origin.problem(path, message);
  leaveOthers(config, FIELDS, [], at, conversion);
  const upstreams = readUpstreams(config.upstreams, at, conversion);
  const conditional = readConditional(config.conditional, at, conversion);
  const blocking = isMap(config.blocking) ? config.blocking : {};
  leaveOthers(blocking, BLOCKING, ["blocking"], at, conversion);
  const groups = isMap(blocking.clientGroupsBlock) ? blocking.clientGroupsBlock : {};
  const keys = new Set(["default", ...Object.keys(groups), ...upstreams.keys()]);
  const tenants = new Map<string, string>();
  for (const key of keys) {
    const path = key in groups ? ["blocking", "clientGroupsBlock", key] : ["upstreams", "groups", key];
    const clients = key === "default" ? undefined : [key];
    const upstream = upstreams.get(key) ?? upstreams.get("default");
    const name = key === "default" ? "everybody" : `clients-${key}`;
    const tenant = addTenant(conversion, { name, clients, problem: (message) => at(path, message) }, upstream);
    if (tenant !== undefined) tenants.set(key, tenant);
  }
  for (const resource of conversion.resources as { kind: string; spec: object }[]) {
    if (resource.kind === "Tenant" && conditional.length > 0) Object.assign(resource.spec, { forward: conditional });
  }
  addOwnNames(config.customDNS, at, conversion);
  addLists(blocking, groups, tenants, at, conversion);
}

function leaveOthers(
  map: Record<string, unknown>,
  known: readonly string[],
  path: Path,
  at: At,
  conversion: Conversion,
): void {
  for (const field of Object.keys(map)) {
    if (!known.includes(field))
      conversion.left(
        at([...path, field], `expected one of ${known.join(", ")}, got ${field}, which is not converted`),
      );
  }
}

function readUpstreams(value: unknown, at: At, conversion: Conversion): Map<string, string> {
  const found = new Map<string, string>();
  if (!isMap(value)) return found;
  leaveOthers(value, ["groups"], ["upstreams"], at, conversion);
  for (const [group, servers] of Object.entries(isMap(value.groups) ? value.groups : {})) {
    const problem = (message: string) => at(["upstreams", "groups", group], message);
    const name = addUpstream(conversion, `upstream-${group}`, listOf(servers).map(String), problem);
    if (name !== undefined) found.set(group, name);
  }
  return found;
}

function readConditional(value: unknown, at: At, conversion: Conversion): object[] {
  if (!isMap(value)) return [];
  leaveOthers(value, ["mapping"], ["conditional"], at, conversion);
  return Object.entries(isMap(value.mapping) ? value.mapping : {}).flatMap(([zone, servers]) => {
    const problem = (message: string) => at(["conditional", "mapping", zone], message);
    const checked = checkPattern(zone);
    if ("expected" in checked) {
      conversion.left(problem(`expected ${checked.expected}, in ${JSON.stringify(zone)}`));
      return [];
    }
    const upstream = addUpstream(
      conversion,
      `zone-${zone}`,
      String(servers)
        .split(",")
        .map((one) => one.trim()),
      problem,
    );
    return upstream === undefined ? [] : [{ zones: [checked.pattern], upstream }];
  });
}

function addOwnNames(value: unknown, at: At, conversion: Conversion): void {
  if (!isMap(value)) return;
  leaveOthers(value, ["mapping", "customTTL"], ["customDNS"], at, conversion);
  const rules = Object.entries(isMap(value.mapping) ? value.mapping : {}).flatMap(([name, text], index) => {
    const path = ["customDNS", "mapping", name];
    const checked = checkPattern(name);
    const addresses = String(text)
      .split(",")
      .map((one) => one.trim());
    const bad = addresses.find((one) => toBlock(one) === undefined || one.includes("/"));
    if ("expected" in checked || bad !== undefined) {
      conversion.left(
        at(path, `expected a name and addresses, got ${JSON.stringify(name)} and ${JSON.stringify(text)}`),
      );
      return [];
    }
    const records = addresses.map((one) => `${one.includes(":") ? "AAAA" : "A"} ${one}`);
    const answer = { records, ...(typeof value.customTTL === "string" ? { ttl: value.customTTL } : {}) };
    // Names below it are answered there, too.
    const names = [checked.pattern, `*.${checked.pattern}`];
    return [{ name: `name-${index + 1}`, match: { names }, action: "Answer", answer }];
  });
  if (rules.length > 0)
    conversion.add("ClusterDnsPolicy", "own-names", { tier: "Admin", priority: 0, subject: {}, rules });
}

/** A policy for each group of lists, for those who are asked for it; what a list allows goes first. */
function addLists(
  blocking: Record<string, unknown>,
  groups: Record<string, unknown>,
  tenants: ReadonlyMap<string, string>,
  at: At,
  conversion: Conversion,
): void {
  const response = readResponse(blocking, at, conversion);
  const field = (one: string, old: string) => (isMap(blocking[one]) ? one : old);
  const [denyField, allowField] = [field("denylists", "blackLists"), field("allowlists", "whiteLists")];
  const deny = isMap(blocking[denyField]) ? blocking[denyField] : {};
  const allow = isMap(blocking[allowField]) ? blocking[allowField] : {};
  // Who has no lists of its own is asked for those of everybody.
  const listsOf = (key: string) => listOf(key in groups ? groups[key] : groups.default);
  const add = (name: string, users: readonly string[], rules: readonly object[]) => {
    if (rules.length === 0) return;
    const spec = { tier: "Admin", priority: conversion.nextPriority(), subject: { tenants: users }, rules };
    conversion.add("ClusterDnsPolicy", name, spec);
  };
  const denials: (() => void)[] = [];
  for (const list of new Set([...Object.keys(deny), ...Object.keys(allow)])) {
    const users = [...tenants].filter(([key]) => listsOf(key).includes(list)).map(([, tenant]) => tenant);
    const accepted = readList(allow[list], ["blocking", allowField, list], at, conversion);
    const denied = readList(deny[list], ["blocking", denyField, list], at, conversion);
    if (users.length === 0) {
      const path = ["blocking", list in deny ? denyField : allowField, list];
      conversion.left(at(path, `expected clients of list ${list}, got none`));
      continue;
    }
    // What one list allows, none of the others denies.
    add(`list-${list}-allowed`, users, listedRules("allowed", accepted, { action: "Accept" }));
    const rules = listedRules("denied", denied, { action: "Deny", response });
    // A list that only allows leaves nothing else.
    if (!(list in deny)) rules.push({ name: "others", match: { names: ["*"] }, action: "Deny", response });
    denials.push(() => add(`list-${list}`, users, rules));
  }
  for (const deny of denials) deny();
  for (const [key, lists] of Object.entries(groups)) {
    for (const list of listOf(lists)) {
      if (String(list) in deny || String(list) in allow) continue;
      conversion.left(
        at(["blocking", "clientGroupsBlock", key], `expected a list, got ${JSON.stringify(list)}, which is none`),
      );
    }
  }
}

function readResponse(blocking: Record<string, unknown>, at: At, conversion: Conversion): object {
  const type = String(blocking.blockType ?? "zeroIp");
  const ttl = typeof blocking.blockTTL === "string" ? { ttl: blocking.blockTTL } : {};
  if (type.toLowerCase() === "nxdomain") return { code: "NXDOMAIN", ...ttl };
  if (type.toLowerCase() === "zeroip") return { addresses: ["0.0.0.0", "::"], ...ttl };
  const addresses = type.split(",").map((one) => one.trim());
  if (addresses.every((one) => toBlock(one) !== undefined && !one.includes("/"))) return { addresses, ...ttl };
  conversion.left(at(["blocking", "blockType"], `expected zeroIp, nxDomain or addresses, got ${JSON.stringify(type)}`));
  return { code: "NXDOMAIN", ...ttl };
}

/** Names that stand in the configuration; lists elsewhere are not fetched. */
function readList(value: unknown, path: Path, at: At, conversion: Conversion): Listed {
  const names = new Set<string>();
  const regexes = new Set<string>();
  for (const [index, source] of listOf(value).entries()) {
    const text = String(source);
    const here = [...path, index];
    if (!text.includes("\n")) {
      conversion.left(
        at(here, `expected names in the configuration, got ${JSON.stringify(text)}: convert that list by itself`),
      );
      continue;
    }
    for (const line of text.split("\n").map((one) => one.replace(/#.*/, "").trim())) {
      if (line === "") continue;
      const words = line.split(/\s+/);
      for (const word of words.length > 1 && toBlock(words[0] ?? "") !== undefined ? words.slice(1) : words) {
        const expression = /^\/(.*)\/$/.exec(word)?.[1];
        const checked = expression === undefined ? checkPattern(word) : checkExpression(expression, { anywhere: true });
        if ("expected" in checked) {
          conversion.left(at(here, `expected ${checked.expected}, in ${JSON.stringify(word)}`));
          continue;
        }
        if ("regex" in checked) {
          regexes.add(checked.regex);
          continue;
        }
        names.add(checked.pattern);
        // There, *.x is x as well.
        if (checked.pattern.startsWith("*.")) names.add(checked.pattern.slice(2));
      }
    }
  }
  return { names, regexes };
}
