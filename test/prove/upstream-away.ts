/**
 * The upstream away, slow and lying: SERVFAIL + EDE in time, others unaffected, and no lie in any answer or cache.
 */
import { encodeQuestion } from "../e2e/dns.ts";
import { Stack } from "../e2e/stack.ts";
import { LIE, scriptOf } from "../stories/behaviours.ts";
import { Load } from "./load.ts";
import { anyZone } from "./policies.ts";
import { type Proof, type Report, scaled } from "./proof.ts";

const WITHIN_MS = 4000;
const QUESTIONS = 2500;
const AT_ONCE = 50;

const policy = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: frontend}
spec: {match: [{cidrs: ["127.0.1.0/24"]}], upstream: public}
---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: backend}
spec: {match: [{cidrs: ["127.0.2.0/24", "127.0.3.0/24"]}], upstream: other}`;

/** What the upstream does, and whether its true answers come through all the same. */
const BEHAVIOURS: [words: string, answers: boolean][] = [
  ["is silent", false],
  ["closes without an answer", false],
  ["answers with a wrong id", false],
  ["answers another question", false],
  ["answers garbage", false],
  ["echoes the query", false],
  ["answers SERVFAIL", false],
  ["lies, then answers", true],
  ["answers after 300ms", true],
  ["closes after every answer", true],
];

export const upstreamAway: Proof = {
  name: "upstream-away",
  what: "away, slow, lying: SERVFAIL + EDE within 4 s, other upstreams unaffected, no lie reaches a client or the cache",
  async run(scale, report) {
    const upstreams = { public: { zone: anyZone }, other: { zone: anyZone } };
    const stack = await Stack.start({ policy, upstreams });
    try {
      const others = await Load.start({
        server: stack.ask.at("udp"),
        from: stack.ask.from("backend"),
        rate: 200,
        names: Array.from({ length: 5000 }, (_, index) => `n${index}.other.org`),
      });
      for (const [words, answers] of BEHAVIOURS)
        await behave(stack, words, answers, scaled(QUESTIONS / BEHAVIOURS.length, scale, 10), report);
      await refuse(stack, report);
      const result = await others.stop();
      report.atLeast("other upstream: answered, share", result.share, 0.999);
      report.atMost("other upstream: failed", result.failed, 0);
      report.inTime("other upstream: p99 ms", result.p99Ms, 100);
      report.atMost("VM reloads", await stack.reloads(), 0);
    } finally {
      await stack.stop();
    }
  },
};

async function behave(stack: Stack, words: string, answers: boolean, count: number, report: Report): Promise<void> {
  const upstream = stack.upstream("public");
  upstream.script = scriptOf(upstream, words);
  const zone = `${words.replaceAll(/[^a-z]/g, "")}.org`;
  let [lies, wrong, longest] = [0, 0, 0];
  const names = Array.from({ length: count }, (_, index) => `n${index}.${zone}`);
  const ask = async (name: string, right: string) => {
    const started = performance.now();
    const answer = await stack.ask.udp(encodeQuestion(name, { edns: 1232 }), "frontend", WITHIN_MS + 2000);
    longest = Math.max(longest, performance.now() - started);
    if (answer.answers.some(({ data }) => data === LIE)) lies++;
    // An upstream's own SERVFAIL is passed on as it is: an EDE is said of what we make up.
    const explained = answer.ede.length === 1 || words === "answers SERVFAIL";
    if (answer.rcode !== right || (right === "SERVFAIL" && !explained)) wrong++;
  };
  for (let at = 0; at < count; at += AT_ONCE)
    await Promise.all(names.slice(at, at + AT_ONCE).map((name) => ask(name, answers ? "NOERROR" : "SERVFAIL")));
  report.atMost(`${words}: longest ms`, longest, WITHIN_MS + 100);
  report.atMost(`${words}: lies told`, lies, 0);
  report.atMost(`${words}: not answered ${answers ? "NOERROR" : "SERVFAIL + EDE"}`, wrong, 0);
  upstream.script = scriptOf(upstream, "answers");
  lies = 0;
  await ask(`other.test`, "NOERROR");
  report.atMost(`${words}: lies kept`, lies, 0);
}

/** Nobody listens where the upstream was. */
async function refuse(stack: Stack, report: Report): Promise<void> {
  await stack.upstream("public").stop();
  const started = performance.now();
  const answer = await stack.ask.udp(encodeQuestion("refused.net", { edns: 1232 }), "frontend", WITHIN_MS + 2000);
  report.atMost("refused: ms", performance.now() - started, WITHIN_MS + 100);
  const right = answer.rcode === "SERVFAIL" && answer.ede.length === 1;
  report.check(right, `refused: expected SERVFAIL + EDE, got ${answer.rcode}`);
}
