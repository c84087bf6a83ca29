/**
 * The policy service away, by kill -9, by SIGSTOP, and by a cut wire: who is known goes on, nobody else gets anything.
 */
import { setTimeout as pause } from "node:timers/promises";
import { encodeQuestion } from "../e2e/dns.ts";
import { Relay } from "../e2e/relay.ts";
import { Stack } from "../e2e/stack.ts";
import { Load } from "./load.ts";
import { anyZone, policy } from "./policies.ts";
import { type Proof, type Report, scaled } from "./proof.ts";

const RATE = 5000;
const SECONDS = 300;
/** How soon after the service is there again new clients are served. */
const BACK_MS = 2000;
const RSS_GROWTH = 1.1;
const RSS_SLACK_BYTES = 16 * 1024 * 1024;
/** Silence of 3 s is "down": until then a decision may still be waited for. */
const NOTICED_MS = 3500;

interface Way {
  name: string;
  leave(stack: Stack, relay: Relay): Promise<void>;
  comeBack(stack: Stack, relay: Relay): Promise<void>;
}

const WAYS: Way[] = [
  { name: "kill -9", leave: (stack) => stack.service.kill(), comeBack: (stack) => stack.service.restart() },
  {
    name: "SIGSTOP",
    leave: async (stack) => stack.service.program.signal("SIGSTOP"),
    comeBack: async (stack) => stack.service.program.signal("SIGCONT"),
  },
  { name: "cut wire", leave: async (_stack, relay) => relay.cut(), comeBack: async (_stack, relay) => relay.mend() },
];

export const serviceAway: Proof = {
  name: "service-away",
  what: "kill -9, SIGSTOP, cut wire: known clients go on, unknown ones get SERVFAIL + EDE, nothing unapproved leaves",
  async run(scale, report) {
    for (const way of WAYS) {
      let relay: Relay | undefined;
      const stack = await Stack.start({
        policy,
        upstreams: { public: { zone: anyZone } },
        policySocket: async (socket) => {
          relay = await Relay.start(`${socket}.relay`, socket);
          return relay.path;
        },
      });
      try {
        if (!relay) throw new Error("no relay");
        await prove(way, stack, relay, scaled((SECONDS * 1000) / WAYS.length, scale, 3000), report);
      } finally {
        await stack.stop();
        await relay?.stop();
      }
    }
  },
};

async function prove(way: Way, stack: Stack, relay: Relay, awayMs: number, report: Report): Promise<void> {
  const known = Array.from({ length: 100 }, (_, index) => `n${index}.known.org`);
  const load = await Load.start({
    server: stack.ask.at("udp"),
    from: stack.ask.from("backend"),
    rate: RATE,
    names: known,
  });
  await pause(1000);
  await way.leave(stack, relay);
  await pause(NOTICED_MS);
  stack.upstream().reset();
  const rssBefore = stack.envoy.residentBytes;
  const end = Date.now() + awayMs;
  let [asked, right, deniedRight] = [0, 0, 0];
  while (Date.now() < end) {
    // A client without a verdict: nothing is known of it.
    const unknown = await stack.ask.udp(encodeQuestion(`n${asked}.unknown.net`, { edns: 1232 }), "nobody");
    if (unknown.rcode === "SERVFAIL" && unknown.ede.length === 1) right++;
    const denied = await stack.ask.udp(encodeQuestion(`n${asked}.denied.com`, { edns: 1232 }), "frontend");
    if (denied.rcode === "SERVFAIL" || denied.rcode === "NXDOMAIN") deniedRight++;
    asked++;
    await pause(50);
  }
  const rssAfter = stack.envoy.residentBytes;
  const returned = Date.now();
  await way.comeBack(stack, relay);
  const ready = Date.now();
  let backMs = Number.POSITIVE_INFINITY;
  for (let tries = 0; Date.now() < ready + 5 * BACK_MS && backMs === Number.POSITIVE_INFINITY; tries++) {
    const answer = await stack.ask.udp(encodeQuestion(`b${tries}.unknown.net`), "nobody");
    if (answer.rcode === "REFUSED") backMs = Date.now() - ready;
    else await pause(25);
  }
  const result = await load.stop();
  const unapproved = stack.upstream().asked.filter(({ name }) => /unknown\.net$|denied\.com$/.test(name));
  report.figure(`${way.name}: seconds away`, (returned - end + awayMs) / 1000);
  report.figure(`${way.name}: queries of known clients`, result.sent);
  report.atLeast(`${way.name}: known clients answered, share`, result.share, 0.999);
  report.atMost(`${way.name}: known clients failed`, result.failed, Math.ceil(result.sent / 1000));
  report.atMost(`${way.name}: unknown clients not answered SERVFAIL + EDE`, asked - right, 0);
  report.atMost(`${way.name}: denied names answered`, asked - deniedRight, 0);
  report.atMost(`${way.name}: unapproved names upstream`, unapproved.length, 0);
  report.atMost(
    `${way.name}: RSS after, MiB`,
    rssAfter / 2 ** 20,
    (rssBefore * RSS_GROWTH + RSS_SLACK_BYTES) / 2 ** 20,
  );
  report.inTime(`${way.name}: ms until back`, backMs, BACK_MS);
}
