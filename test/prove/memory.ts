/**
 * Memory: unique names and one-query UDP sessions without number, and Envoy's resident memory stays flat.
 */
import { createSocket } from "node:dgram";
import { eventually } from "../e2e/clients/deadline.ts";
import { encodeQuestion } from "../e2e/dns.ts";
import { Stack } from "../e2e/stack.ts";
import { Load } from "./load.ts";
import { anyZone, policy } from "./policies.ts";
import { type Proof, type Report, scaled } from "./proof.ts";

const NAMES = 1_000_000;
const SESSIONS = 1_000_000;
const RATE = 8000;
/** Sessions at once, from addresses in turn: 64 a source are allowed, and the kernel's buffer holds some hundreds. */
const SESSIONS_AT_ONCE = 128;
/** Caches fill during this part (64 MiB hold some 450,000 of such answers): growth counts from its end. */
const WARM_UP = 0.6;
const GROWTH_MIB = 24;
/** Sessions linger for a second: that many have been, before their number stays the same. */
const WARM_SESSIONS = 15_000;
/** Small caches, so that a fraction of the names fills them. */
const SETTINGS = { answer_cache_bytes: 2 << 20, verdict_cache_bytes: 1 << 20 };
const IDLE_MS = 15_000;

export const memory: Proof = {
  name: "memory",
  what: "unique names and one-query UDP sessions: RSS flat after warm-up, no stream or session left",
  async run(scale, report) {
    const stack = await Stack.start({
      policy,
      upstreams: { public: { zone: anyZone } },
      // The defaults where the numbers are large enough to fill them.
      settings: scale === 1 ? {} : SETTINGS,
    });
    stack.upstream().record = false;
    try {
      await uniqueNames(stack, scaled(NAMES, scale, 5000), report);
      await sessions(stack, scaled(SESSIONS, scale, 2 * WARM_SESSIONS), report);
      await nothingLeft(stack, report);
      report.atMost("VM reloads", await stack.reloads(), 0);
    } finally {
      await stack.stop();
    }
  },
};

async function uniqueNames(stack: Stack, count: number, report: Report): Promise<void> {
  const names = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => `n${from + index}.unique.org`);
  const warm = Math.round(count * WARM_UP);
  const part = async (from: number, to: number) => {
    const load = await Load.start({
      server: stack.ask.at("udp"),
      from: stack.ask.from("backend"),
      rate: RATE,
      names: names(from, to),
    });
    await eventually(600_000, "all names are asked", () => load.sent >= to - from, 5);
    return load.stop();
  };
  await part(0, warm);
  const before = stack.envoy.residentBytes;
  const result = await part(warm, count);
  report.figure("unique names", count);
  report.atLeast("unique names: answered, share", result.share, 0.99);
  report.atMost("unique names: RSS grown, MiB", (stack.envoy.residentBytes - before) / 2 ** 20, GROWTH_MIB);
}

/** A socket for every question. */
async function sessions(stack: Stack, count: number, report: Report): Promise<void> {
  const question = encodeQuestion("session.org");
  const server = stack.ask.at("udp");
  let [asked, answered] = [0, 0];
  const one = (number: number) =>
    new Promise<void>((resolve) => {
      const socket = createSocket("udp4");
      const done = (ok: boolean) => {
        clearTimeout(timer);
        if (ok) answered++;
        socket.close(() => resolve());
      };
      const timer = setTimeout(() => done(false), 2000);
      socket.once("message", () => done(true));
      socket.once("error", () => done(false));
      const address = `127.0.2.${1 + (number % 250)}`;
      socket.bind({ address, port: 0 }, () => socket.send(question, server.port, server.host));
    });
  const worker = async (until: number) => {
    while (asked < until) await one(asked++);
  };
  const run = (until: number) => Promise.all(Array.from({ length: SESSIONS_AT_ONCE }, () => worker(until)));
  await run(Math.max(WARM_SESSIONS, Math.round(count * WARM_UP)));
  const before = stack.envoy.residentBytes;
  await run(count);
  report.figure("UDP sessions", count);
  report.atLeast("UDP sessions: answered, share", answered / asked, 0.99);
  report.atMost("UDP sessions: RSS grown, MiB", (stack.envoy.residentBytes - before) / 2 ** 20, GROWTH_MIB);
}

async function nothingLeft(stack: Stack, report: Report): Promise<void> {
  const left = async () => {
    const stats = await stack.stats(/^udp\.udp\.downstream_sess_active$|^cluster\.dns_udp\.upstream_rq_active$/);
    return [...stats.values()].reduce((sum, value) => sum + value, 0);
  };
  const started = Date.now();
  try {
    await eventually(IDLE_MS, "sessions and streams end", async () => (await left()) === 0, 200);
  } catch {
    // The figure says it.
  }
  report.atMost("sessions and streams left", await left(), 0);
  report.figure("seconds until all had ended", (Date.now() - started) / 1000);
}
