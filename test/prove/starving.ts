/**
 * Starving: one greedy client after the other, each in a process of its own, while others ask on.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setPriority } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { defaultWorkers } from "../../demo/demo.ts";
import { eventually, within } from "../e2e/clients/deadline.ts";
import { encodeQuestion } from "../e2e/dns.ts";
import { Stack } from "../e2e/stack.ts";
import type { Attack } from "./attacker.ts";
import { decisionsMade } from "./decisions.ts";
import { Load, type LoadResult } from "./load.ts";
import { anyZone, decidedOneByOne, denyFrontend, tenants } from "./policies.ts";
import { type Proof, type Report, scaled } from "./proof.ts";

const attacker = fileURLToPath(new URL("./attacker.ts", import.meta.url));
const SECONDS = 30;
const ANSWERED = 0.99;
const TIMES_LATER = 2;
/**
 * Below this a latency says more of this machine, on which attacker, server and client share the cores, than of the
 * server.
 */
const LATE_MS = 20;
/** In less than this, latencies say how long the attacker took to begin: they are told, and judge nothing. */
const SHORT_SECONDS = 10;
const ANSWERED_SHORT = 0.95;
/** 50 clients that do not read may hold this much more, and only while they are there. */
const NOT_READING_MIB = 64;
const COLD_WITHIN_MS = 50;

/** Datagrams a second that a flood is to be; one that is starved itself shows nothing. */
const FLOOD = 20_000;
const FLOOD_SHORT = 5000;
const FLOOD_SENT = 0.95;
const FLOODS: Attack["kind"][] = ["unique names", "spoofed sources"];

const ATTACKS: Attack["kind"][] = ["unique names", "clients that never read", "spoofed sources", "slow connections"];

/** The attacker's names, which it is denied, and others' cold names. */
const policy = [tenants, denyFrontend("*.net"), decidedOneByOne("net", "frontend", "platform")].join("\n---\n");

export const starving: Proof = {
  name: "starving",
  what: "20,000 unique names/s, 50 clients that never read, 20,000 spoofed sources/s, 1,000 slow connections: others go on",
  async run(scale, report) {
    const upstreams = { public: { zone: anyZone } };
    const stack = await Stack.start({ policy, upstreams, concurrency: defaultWorkers });
    stack.upstream().record = false;
    try {
      const seconds = scaled(SECONDS, scale, 3);
      const calm = await measure(stack, "calm", seconds);
      report.figure("calm: p99 ms", calm.p99Ms);
      for (const kind of ATTACKS) await endure(stack, kind, seconds, calm, report);
      report.atMost("VM reloads", await stack.reloads(), 0);
    } finally {
      await stack.stop();
    }
  },
};

async function endure(
  stack: Stack,
  kind: Attack["kind"],
  seconds: number,
  calm: LoadResult,
  report: Report,
): Promise<void> {
  const before = stack.envoy.residentBytes;
  const isShort = seconds < SHORT_SECONDS;
  const flood = isShort ? FLOOD_SHORT : FLOOD;
  const answered = isShort ? ANSWERED_SHORT : ANSWERED;
  const { host, ports } = stack.target;
  const attack: Attack = { kind, host, ports, from: stack.ask.from("frontend"), flood };
  const child = fork(attacker, [JSON.stringify(attack)], { execArgv: ["--import", "tsx"] });
  // Attackers have machines of their own: here the others go before them.
  if (child.pid) setPriority(child.pid, 4);
  try {
    await within(20_000, `attack by ${kind}`, once(child, "message"));
    const sentBefore = await sentBy(child);
    const load = measure(stack, kind.replaceAll(" ", "-"), seconds);
    const cold = await coldNames(stack, kind, seconds);
    const sent = (await sentBy(child)) - sentBefore;
    const result = await load;
    if (FLOODS.includes(kind)) report.atRate(`${kind}: sent a second`, sent / seconds, flood * FLOOD_SENT);
    const held = (stack.envoy.residentBytes - before) / 2 ** 20;
    report.atLeast(`${kind}: others answered, share`, result.share, answered);
    report.atMost(`${kind}: others failed`, result.failed, Math.ceil(result.sent * (1 - answered)));
    const latest = isShort ? Number.POSITIVE_INFINITY : Math.max(calm.p99Ms * TIMES_LATER, LATE_MS);
    report.atMost(`${kind}: others' p99 ms`, result.p99Ms, latest);
    report.atLeast(`${kind}: others' cold names within ${COLD_WITHIN_MS} ms, share`, cold, isShort ? 0 : ANSWERED);
    if (kind === "clients that never read") report.atMost(`${kind}: RSS grown, MiB`, held, NOT_READING_MIB);
    else report.figure(`${kind}: RSS grown, MiB`, held);
  } finally {
    await stop(child);
  }
  // The next attack starts with a calm server.
  await eventually(30_000, `calm after ${kind}`, async () => {
    const started = performance.now();
    await stack.ask.udp(encodeQuestion("calm.org"), "backend", 1000);
    return performance.now() - started < LATE_MS;
  });
}

/** How many datagrams an attacker has sent. */
async function sentBy(child: ChildProcess): Promise<number> {
  const answer = within(20_000, "the attacker's count", once(child, "message"));
  child.send("sent?");
  const [sent] = await answer;
  return sent;
}

/** What another tenant sees of names that are kept. */
async function measure(stack: Stack, name: string, seconds: number): Promise<LoadResult> {
  const load = await Load.start({
    server: stack.ask.at("udp"),
    from: stack.ask.from("backend"),
    rate: 500,
    names: Array.from({ length: 50 }, (_, index) => `n${index}.${name}.org`),
  });
  await pause(seconds * 1000);
  return load.stop();
}

/** What another tenant sees of names that nobody asked before: the share that is answered in time. */
async function coldNames(stack: Stack, kind: string, seconds: number): Promise<number> {
  const end = Date.now() + seconds * 1000;
  const before = await decisionsMade(stack);
  let [asked, inTime] = [0, 0];
  while (Date.now() < end) {
    const started = performance.now();
    const question = encodeQuestion(`cold${asked++}-${kind.replaceAll(" ", "-")}.net`);
    const answer = await stack.ask.udp(question, "platform", 1000).catch(() => undefined);
    if (answer?.rcode === "NOERROR" && performance.now() - started <= COLD_WITHIN_MS) inTime++;
    await pause(20);
  }
  const made = (await decisionsMade(stack)) - before;
  if (made < inTime) throw new Error(`expected a decision for each of ${inTime} names, got ${made}`);
  return inTime / asked;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = once(child, "close");
  child.kill("SIGKILL");
  await gone;
}
