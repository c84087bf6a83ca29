/**
 * A large set: 1,000 tenants, 10,000 policies, 100,000 patterns, and a list of 1,000,000 names. What a change of it and a
 * new list cost, what decisions notice of either, and whether what is known to a worker costs more than with few policies.
 */
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { CompileJobs } from "../../../extproc/compile/job.ts";
import { loadSnapshot } from "../../../extproc/compiled/snapshot.ts";
import { decide } from "../../../extproc/decide/decide.ts";
import { readList } from "../../../extproc/lists/read-list.ts";
import { parseName } from "../../../extproc/resources/name-pattern.ts";
import { encodeQuestion } from "../../e2e/dns.ts";
import { Stack } from "../../e2e/stack.ts";
import { costOfQueries } from "../cost-of-queries.ts";
import { Load } from "../load.ts";
import { anyZone, tenants } from "../policies.ts";
import { type Proof, type Report, scaled } from "../proof.ts";
import { listedName, zoneHead, zoneRecords } from "./many-names.ts";

const TENANTS = 1000;
const POLICIES_EACH = 10;
const PATTERNS_EACH = 10;
const NAMES = 1_000_000;
/** Each a name of its own, and so a decision of its own. */
const DECISIONS_PER_SECOND = 200;
const CHANGES = 5;
const RELOADS = 2;

const COMPILE_MS = 2000;
const APPLY_MS = 3000;
const DECISION_MS = 20;
const DECISION_US = 50;
/** With the large set, a worker has a verdict for each of these; with few policies, one for all of them. */
const CACHED = 1000;
/** As much as two measurements of the same differ. */
const COST_RATIO = 1.2;

export const scale: Proof = {
  name: "scale",
  what: "1,000 tenants, 10,000 policies, 100,000 patterns, 1,000,000 listed names: changed while decisions go on",
  async run(size, report) {
    const set = new LargeSet(scaled(TENANTS, size, 20), scaled(NAMES, size, 20_000));
    compileHere(set, report);
    const upstreams = { public: { zone: anyZone } };
    const stack = await Stack.start({ policy: tenants, upstreams, concurrency: 2 });
    try {
      for (let serial = 1; serial <= 1 + RELOADS; serial++) await writeList(stack, set, serial);
      const rounds = scaled(6, size, 2);
      const few = await costOfCached(stack, rounds);
      await putList(stack, 1);
      const loaded = performance.now();
      await stack.apply(stack.policy({ policy: set.text(0), upstreams }));
      report.figure("all of it applied for the first time, s", (performance.now() - loaded) / 1000);
      await until(() => isInForce(stack, 1));
      const quiet = await decisions(stack, set, "nothing changes", report, () => pause(scaled(20_000, size, 5000)));
      const changing = await decisions(stack, set, "policy changes", report, () => applyChanges(stack, set, report));
      const reading = await decisions(stack, set, "the list is read anew", report, () => reload(stack, report));
      // In CI, where little is changed and others have the same processors, what they take is not counted.
      const taken = size < 1 ? quiet : 0;
      report.inTime("p99 that counts while policy changes, ms", changing - taken, DECISION_MS);
      report.inTime("p99 that counts while the list is read anew, ms", reading - taken, DECISION_MS);
      const many = await costOfCached(stack, rounds);
      report.figure("a cached name with few policies, CPU us of Envoy", few);
      report.figure("a cached name with all of them, CPU us of Envoy", many);
      report.inTime("one by the other", many / few, COST_RATIO);
    } finally {
      await stack.stop();
    }
  },
};

class LargeSet {
  readonly names: number;
  readonly #tenants: number;
  /** Listed names that nobody has asked for yet. */
  #asked = 0;

  constructor(tenantCount: number, names: number) {
    this.#tenants = tenantCount;
    this.names = names;
  }

  get policies(): number {
    return this.#tenants * POLICIES_EACH;
  }

  /** `variant`: of one policy. */
  text(variant: number): string {
    const documents = [tenants, LIST, EVERYBODY];
    for (let number = 0; number < this.#tenants; number++) {
      documents.push(
        `${HEAD("Tenant", `t${number}`)}\nspec: {match: [{cidrs: ["10.${number >> 8}.${number & 255}.0/24"]}], upstream: public}`,
      );
    }
    for (let number = 0; number < this.policies; number++)
      documents.push(this.policy(number, number === 0 ? variant : 0));
    return documents.join("\n---\n");
  }

  policy(number: number, variant: number): string {
    const patterns = Array.from({ length: PATTERNS_EACH }, (_, index) => {
      const name = `n${index + variant}.p${number}.example`;
      return index % 2 === 0 ? name : `"*.${name}"`;
    });
    return `${HEAD("DnsPolicy", `p${number}`)}
spec:
  priority: ${number % POLICIES_EACH}
  subject: {tenants: [t${Math.floor(number / POLICIES_EACH)}]}
  rules: [{name: r, match: {names: [${patterns.join(", ")}]}, action: Deny}]`;
  }

  /** Each once: none of them is known to a worker. */
  fresh(count: number): string[] {
    return Array.from({ length: count }, () => listedName((this.#asked++ * 7919) % this.names));
  }
}

const HEAD = (kind: string, name: string) => `apiVersion: dns.mesh/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}`;
const LIST = `${HEAD("NameList", "feed")}\nspec: {format: RPZ, file: feed.zone}`;
const EVERYBODY = `${HEAD("ClusterDnsPolicy", "feed")}
spec: {tier: Admin, priority: 1, subject: {}, rules: [{name: listed, match: {lists: [feed]}, action: Deny}]}`;

/** What it costs by itself, without what else a machine has to do. */
function compileHere(set: LargeSet, report: Report): void {
  const upstream = `${HEAD("Upstream", "public")}\nspec: {protocol: TCP, servers: [{address: 192.0.2.1}]}`;
  const jobs = new CompileJobs();
  const first = cpuMs(() =>
    jobs.run([], { upsert: [{ name: "set", text: `${set.text(0)}\n---\n${upstream}` }], prune: true }, 1),
  );
  if (!first.value.ok) throw new Error(JSON.stringify(first.value.problems.slice(0, 3)));
  const base = [{ name: "state", text: first.value.text }];
  const change = { upsert: [{ name: "change", text: set.policy(0, 1) }] };
  const next = cpuMs(() => jobs.run(base, change, 2));
  if (!next.value.ok) throw new Error(JSON.stringify(next.value.problems.slice(0, 3)));
  const { policyCount, tenantCount } = next.value.policy.tables;
  report.figure("tenants", tenantCount);
  report.figure("policies", policyCount);
  report.figure("patterns", set.policies * PATTERNS_EACH);
  report.figure("read and compiled whole, CPU ms", first.ms);
  report.inTime("a change compiled, CPU ms", next.ms, COMPILE_MS);
  const read = cpuMs(() => readList({ format: "RPZ", subdomains: false }, zoneHead(1) + zoneRecords(set.names)));
  report.figure("listed names", read.value.table.names);
  report.figure("the list read, CPU ms", read.ms);
  const { nodes, edges, lists, bytes } = read.value.table;
  const octets = [nodes, edges, lists, bytes].reduce((sum, { byteLength }) => sum + byteLength, 0);
  report.figure("the list's table, MiB", octets / 2 ** 20);
  const snapshot = loadSnapshot(next.value.policy, 2, new Map([["feed", read.value.table]]));
  const count = 50_000;
  const questions = Array.from({ length: count }, (_, number) => ({
    address: Uint8Array.of(10, number % 4, number % 256, 1),
    listener: "udp",
    transport: 0 as const,
    qtype: 1,
    time: 0,
    qname: parseName(
      number % 2 === 0 ? listedName((number * 7919) % set.names) : `n1.p${number % set.policies}.example`,
    ).wire,
  }));
  for (const question of questions.slice(0, 10_000)) decide(snapshot, question);
  const decided = cpuMs(() => {
    for (const question of questions) decide(snapshot, question);
  });
  report.inTime("a decision, CPU us", (decided.ms * 1000) / count, DECISION_US);
}

function cpuMs<T>(task: () => T): { readonly value: T; readonly ms: number } {
  const before = process.cpuUsage();
  const value = task();
  const { user, system } = process.cpuUsage(before);
  return { value, ms: (user + system) / 1000 };
}

/** Questions that each take a decision, while something happens: when 99 in a hundred were answered, in milliseconds. */
async function decisions(
  stack: Stack,
  set: LargeSet,
  when: string,
  report: Report,
  happens: () => Promise<unknown>,
): Promise<number> {
  const load = await Load.start({
    server: stack.ask.at("udp"),
    from: stack.ask.from("frontend"),
    rate: DECISIONS_PER_SECOND,
    names: set.fresh(50_000),
  });
  const result = await load.during(happens);
  report.figure(`${when}: decisions`, result.sent);
  report.figure(`${when}: answered after, median ms`, result.p50Ms);
  report.figure(`${when}: answered after, p99 ms`, result.p99Ms);
  report.atMost(`${when}: not answered or failed`, result.sent - result.answered + result.failed, 0);
  return result.p99Ms;
}

function costOfCached(stack: Stack, rounds: number): Promise<number> {
  const names = Array.from({ length: CACHED }, (_, number) => `cached${number}.example.org`);
  return costOfQueries(stack, { from: stack.ask.from("frontend"), names }, rounds);
}

async function applyChanges(stack: Stack, set: LargeSet, report: Report): Promise<void> {
  const took: number[] = [];
  for (let number = 1; number <= CHANGES; number++) {
    const started = performance.now();
    const { status, body } = await stack.service.request("PUT", "/v1/resources", set.policy(0, number), {
      "content-type": "application/yaml",
    });
    if (status !== 200) throw new Error(`the policy service answered ${status}: ${body}`);
    const { workers } = JSON.parse(body);
    report.check(workers.behind.length === 0, `a worker is behind change ${number}`);
    took.push(performance.now() - started);
    await pause(500);
  }
  took.sort((a, b) => a - b);
  report.figure("a change, until all workers obey, median ms", took[Math.floor(took.length / 2)] ?? 0);
  report.inTime("a change, until all workers obey, longest ms", took.at(-1) ?? 0, APPLY_MS);
}

async function reload(stack: Stack, report: Report): Promise<void> {
  const took: number[] = [];
  for (let serial = 2; serial <= 1 + RELOADS; serial++) {
    await putList(stack, serial);
    const started = performance.now();
    await until(() => isInForce(stack, serial));
    took.push(performance.now() - started);
  }
  report.figure("a new list, until it is in force, longest ms", Math.max(...took));
}

/** Beside where it is read: who makes it is not to be in the way of who asks. */
async function writeList(stack: Stack, set: LargeSet, serial: number): Promise<void> {
  const text = `${zoneHead(serial)}${nameOf(serial)} CNAME .\n${zoneRecords(set.names)}`;
  await writeFile(join(stack.directory, `feed.${serial}`), text);
}

async function putList(stack: Stack, serial: number): Promise<void> {
  await rename(join(stack.directory, `feed.${serial}`), join(stack.directory, "store", "feed.zone"));
}

/** A name that no other list has. */
const nameOf = (serial: number) => `list${serial}.example.org`;

async function isInForce(stack: Stack, serial: number): Promise<boolean> {
  const { rcode } = await stack.ask.udp(encodeQuestion(nameOf(serial)));
  return rcode === "NXDOMAIN";
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 120_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error("not within two minutes: the list is read");
    await pause(250);
  }
}
