/**
 * AdGuard Home's configuration: its clients, its own rules and rewrites, and its upstream servers.
 */
import type { Path, Problem } from "../resources/problem.ts";
import {
  type Conversion,
  checkExpression,
  checkPattern,
  isMap,
  listedRules,
  listOf,
  readYaml,
  type Source,
  toBlock,
} from "./conversion.ts";
import { addTenant, addUpstream } from "./groups.ts";

type At = (path: Path, message: string) => Problem;

export function convertAdGuard(source: Source, conversion: Conversion): void {
  const [document] = readYaml(source, conversion);
  if (document === undefined || !isMap(document.value)) return;
  const { value: config, origin } = document;
  const at: At = (path, message) => origin.problem(path, message);
  const dns = isMap(config.dns) ? config.dns : {};
  const filtering = isMap(config.filtering) ? config.filtering : dns;
  const place = isMap(config.filtering) ? "filtering" : "dns";
  const problem = (message: string) => at(["dns", "upstream_dns"], message);
  const general = listOf(dns.upstream_dns).map(String);
  const upstream = addUpstream(conversion, "upstream", general, problem);
  addTenant(conversion, { name: "everybody", clients: undefined, problem }, upstream);
  const unfiltered = addClients(config.clients, upstream, at, conversion);
  const except = unfiltered.length === 0 ? {} : { except: { tenants: unfiltered } };
  addRewrites(filtering.rewrites, place, at, conversion);
  addRules(config.user_rules, readResponse(filtering, at, place, conversion), except, at, conversion);
  for (const [index, filter] of listOf(config.filters).entries()) {
    if (!isMap(filter) || filter.enabled === false) continue;
    conversion.left(
      at(
        ["filters", index],
        `expected rules in the configuration, got the list ${String(filter.url)}: convert that by itself`,
      ),
    );
  }
  for (const field of ["blocked_services", "safe_search", "safebrowsing_enabled", "parental_enabled"]) {
    const value = filtering[field];
    const on = value === true || (isMap(value) && (value.enabled === true || listOf(value.ids).length > 0));
    if (on)
      conversion.left(
        at([place, field], `expected names in the configuration, got ${field}, whose names are AdGuard Home's`),
      );
  }
}

/** Tenants of those for whom nothing is filtered. */
function addClients(value: unknown, upstream: string | undefined, at: At, conversion: Conversion): string[] {
  const unfiltered: string[] = [];
  const path = isMap(value) ? ["clients", "persistent"] : ["clients"];
  for (const [index, client] of listOf(isMap(value) ? value.persistent : value).entries()) {
    if (!isMap(client)) continue;
    const here: Path = [...path, index];
    const name = String(client.name ?? `client-${index + 1}`);
    const servers = listOf(client.upstreams).map(String);
    const problem = (message: string) => at([...here, "upstreams"], message);
    const own =
      servers.length === 0 ? upstream : (addUpstream(conversion, `${name}-upstream`, servers, problem) ?? upstream);
    const clients = listOf(client.ids).map(String);
    const tenant = addTenant(conversion, { name, clients, problem: (message) => at([...here, "ids"], message) }, own);
    if (tenant !== undefined && client.use_global_settings === false && client.filtering_enabled === false)
      unfiltered.push(tenant);
    const services = isMap(client.blocked_services)
      ? listOf(client.blocked_services.ids)
      : listOf(client.blocked_services);
    if (services.length > 0)
      conversion.left(at([...here, "blocked_services"], `expected names, got services ${services.join(", ")}`));
    for (const field of ["parental_enabled", "safebrowsing_enabled"]) {
      if (client[field] === true) conversion.left(at([...here, field], `expected names, got ${field}`));
    }
  }
  return unfiltered;
}

function addRewrites(value: unknown, place: string, at: At, conversion: Conversion): void {
  const names = new Map<string, string[]>();
  for (const [index, rewrite] of listOf(value).entries()) {
    const { domain, answer } = isMap(rewrite) ? rewrite : {};
    const checked = checkPattern(String(domain));
    const target = String(answer);
    const isAddress = toBlock(target) !== undefined && !target.includes("/");
    const alias = checkPattern(target);
    if ("expected" in checked || (!isAddress && ("expected" in alias || target.includes("*")))) {
      conversion.left(
        at([place, "rewrites", index], `expected a name and an address or a name, got ${domain} and ${target}`),
      );
      continue;
    }
    const record = isAddress ? `${target.includes(":") ? "AAAA" : "A"} ${target}` : `CNAME ${target}`;
    const known = names.get(checked.pattern) ?? [];
    if (known.some((one) => one.startsWith("CNAME ")) || (known.length > 0 && !isAddress)) {
      conversion.left(at([place, "rewrites", index], "expected a CNAME alone, got other answers beside it"));
      continue;
    }
    names.set(checked.pattern, [...known, record]);
  }
  // Exact names first, then the longest.
  const rank = (pattern: string) => (pattern.startsWith("*") ? 1000 - pattern.split(".").length : 0);
  const sorted = [...names].sort(([a], [b]) => rank(a) - rank(b));
  const rules = sorted.map(([name, records], index) => {
    return { name: `rewrite-${index + 1}`, match: { names: [name] }, action: "Answer", answer: { records } };
  });
  if (rules.length > 0)
    conversion.add("ClusterDnsPolicy", "rewrites", { tier: "Admin", priority: 0, subject: {}, rules });
}

/** `||x^` and its kin; what is allowed goes before what is denied. */
function addRules(value: unknown, response: object, except: object, at: At, conversion: Conversion): void {
  const allowed = { names: new Set<string>(), regexes: new Set<string>() };
  const denied = { names: new Set<string>(), regexes: new Set<string>() };
  for (const [index, rule] of listOf(value).entries()) {
    const text = String(rule).trim();
    if (text === "" || text.startsWith("!") || text.startsWith("#")) continue;
    const read = readRule(text.replace(/^@@/, ""));
    if (typeof read === "string") {
      conversion.left(at(["user_rules", index], `expected ${read}, got ${JSON.stringify(text)}`));
      continue;
    }
    const kept = text.startsWith("@@") ? allowed : denied;
    if ("regex" in read) kept.regexes.add(read.regex);
    else for (const name of read.names) kept.names.add(name);
  }
  const rules = [
    ...listedRules("allowed", allowed, { action: "Accept" }),
    ...listedRules("denied", denied, { action: "Deny", response }),
  ];
  if (rules.length > 0)
    conversion.add("ClusterDnsPolicy", "user-rules", {
      tier: "Admin",
      priority: conversion.nextPriority(),
      subject: {},
      ...except,
      rules,
    });
}

/** Its names or its expression, or what was expected instead. */
function readRule(rule: string): { readonly names: string[] } | { readonly regex: string } | string {
  const expression = /^\/(.+)\/(?:\$important)?$/.exec(rule)?.[1];
  if (expression !== undefined) {
    const checked = checkExpression(expression, { anywhere: true });
    return "regex" in checked ? checked : checked.expected;
  }
  const [whole = "", modifiers] = rule.split("$");
  if (whole.startsWith("/")) return "an expression between slashes, without modifiers but $important";
  if (modifiers !== undefined && modifiers !== "important") return "no modifiers but $important";
  const words = whole.trim().split(/\s+/);
  const hosts = words.length > 1 && ["0.0.0.0", "127.0.0.1", "::", "::1"].includes(words[0] ?? "");
  if (words.length > 1 && !hosts) return "a rule as ||example.org^, or 0.0.0.0 and names";
  const names: string[] = [];
  for (const word of hosts ? words.slice(1) : words) {
    const subdomains = word.startsWith("||");
    const checked = checkPattern(word.replace(/^\|{1,2}/, "").replace(/[\^|]+$/, ""));
    if ("expected" in checked) return `a name: ${checked.expected}`;
    names.push(checked.pattern);
    if (subdomains && !checked.pattern.startsWith("*")) names.push(`*.${checked.pattern}`);
  }
  return { names };
}

function readResponse(filtering: Record<string, unknown>, at: At, place: string, conversion: Conversion): object {
  const mode = String(filtering.blocking_mode ?? "default");
  const seconds = Number(filtering.blocked_response_ttl);
  const ttl = Number.isInteger(seconds) && seconds > 0 ? { ttl: `${seconds}s` } : {};
  if (mode === "nxdomain") return { code: "NXDOMAIN", ...ttl };
  if (mode === "refused") return { code: "REFUSED" };
  if (mode === "default" || mode === "null_ip") return { addresses: ["0.0.0.0", "::"], ...ttl };
  const addresses = [filtering.blocking_ipv4, filtering.blocking_ipv6]
    .map(String)
    .filter((one) => toBlock(one) !== undefined);
  if (mode === "custom_ip" && addresses.length > 0) return { addresses, ...ttl };
  conversion.left(
    at([place, "blocking_mode"], `expected default, nxdomain, refused, null_ip or custom_ip, got ${mode}`),
  );
  return { code: "NXDOMAIN", ...ttl };
}
