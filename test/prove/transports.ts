/**
 * Transports: one table of questions gives the same answers over UDP, TCP, DoT, DoH GET, DoH POST and DoH3.
 */
import { readFileSync } from "node:fs";
import { parse, parseAllDocuments } from "yaml";
import { parseZone } from "../../demo/zone.ts";
import { getDns, postDns, readDns } from "../e2e/clients/doh.ts";
import { type Answer, describeAnswer, encodeQuestion, FLAGS, type QuestionOptions } from "../e2e/dns.ts";
import { Stack } from "../e2e/stack.ts";
import { Asker, type Client, type Target, targetFromEnvironment } from "../e2e/target.ts";
import type { Proof, Report } from "./proof.ts";

const example = (name: string) => readFileSync(new URL(`../../examples/${name}`, import.meta.url), "utf8");

/** The demo's resources without its Upstreams, which the harness makes. */
export function demoPolicy(): string {
  const documents = parseAllDocuments(example("demo.yaml")).map((document) => document.toString());
  return documents.filter((text) => (parse(text) as { kind: string }).kind !== "Upstream").join("---\n");
}

/** The demo on the harness: its policy, its zone, its two upstreams. */
export function startDemoStack(): Promise<Stack> {
  const zone = parseZone(example("upstream.zone"), "examples/upstream.zone");
  return Stack.start({
    policy: demoPolicy(),
    upstreams: { public: { protocol: "DoT", zone }, corp: { protocol: "DoH", zone } },
  });
}

interface Row extends QuestionOptions {
  name: string;
  client: Client;
  /** What `describeAnswer` must begin with. */
  expect: string;
}

const row = (client: Client, name: string, type: string, expect: string, more: QuestionOptions = {}): Row => ({
  client,
  name,
  type,
  expect,
  ...more,
});

export const TABLE: Row[] = [
  row("frontend", "www.example.org", "A", "NOERROR; www.example.org A 198.51.100.80"),
  row("frontend", "www.example.org", "AAAA", "NOERROR; www.example.org AAAA 2001:db8:1::80"),
  row("frontend", "WWW.EXAMPLE.ORG", "A", "NOERROR; www.example.org A 198.51.100.80"),
  row("frontend", "api.example.org", "A", "NOERROR; api.example.org A 198.51.100.81"),
  row("frontend", "example.org", "NS", "NOERROR; example.org NS ns.example.org"),
  row("frontend", "example.org", "SOA", "NOERROR; example.org SOA"),
  row("frontend", "www.example.org", "TXT", "NOERROR"),
  row("frontend", "nowhere.example.org", "A", "NXDOMAIN"),
  row("frontend", "big.example.org", "TXT", "NOERROR; big.example.org TXT"),
  row("frontend", "www.example.com", "A", "NXDOMAIN; ede 15"),
  row("frontend", "www.example.com", "AAAA", "NXDOMAIN; ede 15"),
  row("frontend", "nowhere.example.com", "A", "NXDOMAIN; ede 15"),
  row("frontend", "Shop.Example.COM", "A", "NXDOMAIN; ede 15"),
  row("frontend", "sneaky.example.org", "A", "NXDOMAIN; ede 15"),
  row("frontend", "git.corp.example", "A", "NOERROR; git.corp.example A 10.20.0.10"),
  row("backend", "www.example.com", "A", "NOERROR; www.example.com A 192.0.2.80"),
  row("backend", "example.com", "MX", "NOERROR; example.com MX"),
  row("backend", "example.com", "TXT", "NOERROR; example.com TXT v=spf1 -all"),
  row("backend", "example.com", "CAA", "NOERROR; example.com CAA"),
  row("backend", "_https._tcp.example.com", "SRV", "NOERROR; _https._tcp.example.com SRV"),
  row(
    "backend",
    "shop.example.com",
    "A",
    "NOERROR; shop.example.com CNAME www.example.com; www.example.com A 192.0.2.80",
  ),
  row("backend", "assets.example.com", "A", "NOERROR; assets.example.com CNAME cdn.example.net"),
  row("backend", "a.b.wild.example.com", "A", "NOERROR; a.b.wild.example.com A 192.0.2.99"),
  row("backend", "sneaky.example.org", "A", "NOERROR; sneaky.example.org CNAME www.example.com"),
  row("backend", "www.example.com", "A", "REFUSED; ede 21", { flags: 0 }),
  row("backend", "www.example.com", "ANY", "NOERROR"),
  row("backend", "example.com", "A", "NOERROR; example.com A 192.0.2.1", { dnssecOk: true }),
  row("platform", "wiki.corp.example", "A", "NOERROR; wiki.corp.example A 10.20.0.11"),
  row("platform", "nowhere.corp.example", "A", "NXDOMAIN"),
  row("nobody", "www.example.org", "A", "REFUSED; ede 18"),
];

type Ask = (question: Buffer) => Promise<Answer>;
export const WAYS = ["UDP", "TCP", "DoT", "DoH GET", "DoH POST", "DoH3 GET", "DoH3 POST"] as const;

export const transports: Proof = {
  name: "transports",
  what: `one table of ${TABLE.length} questions gives the same answers over ${WAYS.join(", ")}`,
  async run(_scale, report) {
    const running = targetFromEnvironment();
    if (running) return compareAll(running, report);
    const stack = await startDemoStack();
    try {
      await compareAll(stack.target, report);
    } finally {
      await stack.stop();
    }
  },
};

async function compareAll(target: Target, report: Report): Promise<void> {
  report.figure("questions", TABLE.length);
  report.figure("ways", WAYS.length);
  let answers = 0;
  for (const client of ["frontend", "backend", "platform", "nobody"] as const) {
    const { ways, close } = await openWays(new Asker(target), client);
    try {
      for (const each of TABLE.filter((candidate) => candidate.client === client)) {
        const told = new Map<string, string>();
        for (const [way, ask] of ways) {
          const answer = await ask(encodeQuestion(each.name, { edns: 1232, ...each }));
          answers++;
          const text = inFull(answer);
          told.set(way, text);
          const where = `${each.name} ${each.type} of ${client} over ${way}`;
          const begins = describeAnswer(answer).toLowerCase().startsWith(each.expect.toLowerCase());
          report.check(begins, `${where}: expected ${each.expect}, got ${describeAnswer(answer)}`);
          report.check((answer.flags & FLAGS.TC) === 0, `${where}: expected a whole answer, got TC`);
        }
        const different = new Set(told.values()).size > 1;
        const all = [...told].map(([way, text]) => `${way}: ${text}`).join(" | ");
        report.check(!different, `${each.name} ${each.type} of ${client}: expected equal answers, got ${all}`);
      }
    } finally {
      await close();
    }
  }
  report.figure("answers", answers);
}

export async function openWays(
  asker: Asker,
  client: Client,
): Promise<{ ways: Map<(typeof WAYS)[number], Ask>; close: () => Promise<void> }> {
  const tcp = await asker.tcp(client);
  const dot = await asker.dot(client);
  const doh = await asker.doh(client);
  const doh3 = await asker.doh3(client);
  const ways = new Map<(typeof WAYS)[number], Ask>([
    [
      "UDP",
      async (question) => {
        const answer = await asker.udp(question, client);
        return (answer.flags & FLAGS.TC) === 0 ? answer : tcp.ask(question);
      },
    ],
    ["TCP", (question) => tcp.ask(question)],
    ["DoT", (question) => dot.ask(question)],
    ["DoH GET", async (question) => readDns(await getDns(doh, question))],
    ["DoH POST", async (question) => readDns(await postDns(doh, question))],
    ["DoH3 GET", async (question) => readDns(await getDns(doh3, question))],
    ["DoH3 POST", async (question) => readDns(await postDns(doh3, question))],
  ]);
  const close = async () => {
    tcp.close();
    dot.close();
    await doh.close();
    await doh3.close();
  };
  return { ways, close };
}

/** Everything that must be equal: all but ids, TTLs, and what depends on the transport. */
export function inFull(answer: Answer): string {
  const records = (list: Answer["answers"]) =>
    list
      .map(({ name, type, data }) => `${name.toLowerCase()} ${type} ${data}`)
      .sort()
      .join(", ");
  const flags = answer.flags & 0xfff0;
  const ede = answer.ede.map(({ code, text }) => `${code} ${text}`).join(", ");
  const { rcode, question, answers, authorities } = answer;
  return `${rcode} ${flags.toString(16)} [${question?.name} ${question?.type}] [${records(answers)}] [${records(authorities)}] [${ede}]`;
}
