/**
 * Faults: rules that disturb some of the queries disturb as many as they say, over every transport.
 */
import { getDns, readDns } from "../e2e/clients/doh.ts";
import { UdpClient } from "../e2e/clients/udp.ts";
import { type Answer, encodeQuestion } from "../e2e/dns.ts";
import { Stack } from "../e2e/stack.ts";
import { anyZone, tenants } from "./policies.ts";
import { type Proof, type Report, scaled } from "./proof.ts";

/** On each transport, of all rules that end a query. */
const QUERIES = 100_000;
const DELAYED = 20_000;
const DELAY_MS = 500;
const DELAY_PERCENT = 25;
/** Percentage points. */
const TOLERANCE = 1;
/** Connections take 100 queries at once, and a new UDP port 64 before its first answer. */
const AT_ONCE = 50;
const PORTS = 8;

const RULES = [
  { name: "one", percent: 1, code: "SERVFAIL" },
  { name: "ten", percent: 10, code: "REFUSED" },
  { name: "half", percent: 50, code: "NXDOMAIN" },
] as const;

const policy = `${tenants}
---
apiVersion: dns.mesh/v1alpha1
kind: ClusterDnsPolicy
metadata: {name: game-day}
spec:
  tier: Admin
  priority: 1
  subject: {tenants: [frontend]}
  rules:
${RULES.map(({ name, percent, code }) => `  - {name: ${name}, match: {names: ["*.${name}.org"], percent: ${percent}}, action: Fault, fault: {code: ${code}}}`).join("\n")}
  - {name: late, match: {names: ["*.late.org"], percent: ${DELAY_PERCENT}}, action: Fault, fault: {delay: ${DELAY_MS}ms}}`;

type AskAll = (questions: Buffer[]) => Promise<Answer[]>;

export const faults: Proof = {
  name: "faults",
  what: "Fault rules hit their percentages within one point over 100,000 queries on each of UDP, TCP, DoT and DoH",
  async run(scale, report) {
    const stack = await Stack.start({ policy, upstreams: { public: { zone: anyZone } }, concurrency: 2 });
    try {
      const count = Math.ceil(scaled(QUERIES, scale, 2000) / RULES.length);
      for (const [way, open] of Object.entries(WAYS)) {
        const { askAll, width, close } = await open(stack);
        for (const rule of RULES) {
          const hits = await hitsOf(askAll, width, rule.name, rule.code, count);
          judge(report, `${way}, ${rule.code}`, hits, count, rule.percent);
        }
        await close();
      }
      const delayed = scaled(DELAYED, scale, 2000);
      judge(report, `UDP, ${DELAY_MS} ms later`, await lateOf(stack, delayed), delayed, DELAY_PERCENT);
      report.atMost("VM reloads", await stack.reloads(), 0);
    } finally {
      await stack.stop();
    }
  },
};

/** Of few queries chance alone is further off: four standard deviations are let pass. */
function judge(report: Report, what: string, hits: number, count: number, percent: number): void {
  const share = percent / 100;
  const deviation = 100 * Math.sqrt((share * (1 - share)) / count);
  const got = (100 * hits) / count;
  report.figure(`${what}: percent of ${count}`, `${got.toFixed(3)} (${percent})`);
  const allowed = Math.max(TOLERANCE, 4 * deviation);
  const expected = `expected ${percent} within ${allowed.toFixed(2)}`;
  report.check(Math.abs(got - percent) <= allowed, `${what}: ${expected}, got ${got.toFixed(3)}`);
}

async function hitsOf(askAll: AskAll, width: number, name: string, code: string, count: number): Promise<number> {
  let hits = 0;
  for (let asked = 0; asked < count; asked += width) {
    const questions = Array.from({ length: Math.min(width, count - asked) }, () => encodeQuestion(`x.${name}.org`));
    for (const { rcode } of await askAll(questions)) {
      if (rcode === code) hits++;
      else if (rcode !== "NOERROR") throw new Error(`x.${name}.org: expected ${code} or NOERROR, got ${rcode}`);
    }
  }
  return hits;
}

async function lateOf(stack: Stack, count: number): Promise<number> {
  const clients = await openPorts(stack);
  let late = 0;
  const width = AT_ONCE * PORTS;
  for (let asked = 0; asked < count; asked += width) {
    const batch = Array.from({ length: Math.min(width, count - asked) }, async (_, index) => {
      const started = performance.now();
      await clients[index % PORTS]?.ask(encodeQuestion("x.late.org"));
      // The filter keeps delays to its next tick, and the cached answer takes far less than half of it.
      if (performance.now() - started >= DELAY_MS * 0.9) late++;
    });
    await Promise.all(batch);
  }
  for (const client of clients) client.close();
  return late;
}

function openPorts(stack: Stack): Promise<UdpClient[]> {
  const open = () => UdpClient.open(stack.ask.at("udp"), stack.ask.from("frontend"));
  return Promise.all(Array.from({ length: PORTS }, open));
}

interface Way {
  askAll: AskAll;
  width: number;
  close(): void | Promise<void>;
}

const WAYS: Record<string, (stack: Stack) => Promise<Way>> = {
  UDP: async (stack) => {
    const clients = await openPorts(stack);
    const ask = (question: Buffer, index: number) => (clients[index % PORTS] as UdpClient).ask(question);
    const close = () => clients.forEach((client) => void client.close());
    return { askAll: (questions) => Promise.all(questions.map(ask)), width: AT_ONCE * PORTS, close };
  },
  TCP: async (stack) => {
    const client = await stack.ask.tcp("frontend");
    return { askAll: (questions) => client.askAll(questions), width: AT_ONCE, close: () => client.close() };
  },
  DoT: async (stack) => {
    const client = await stack.ask.dot("frontend");
    return { askAll: (questions) => client.askAll(questions), width: AT_ONCE, close: () => client.close() };
  },
  DoH: async (stack) => {
    const client = await stack.ask.doh("frontend");
    const ask = async (question: Buffer) => readDns(await getDns(client, question));
    return { askAll: (questions) => Promise.all(questions.map(ask)), width: AT_ONCE, close: () => client.close() };
  },
};
