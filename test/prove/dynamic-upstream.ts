/**
 * Dynamic upstream: nameservers that come by `apply` serve at once, under load, by an Envoy that goes on running.
 */
import { encodeQuestion } from "../e2e/dns.ts";
import { parseZone } from "../e2e/records.ts";
import { Stack } from "../e2e/stack.ts";
import { ScriptedUpstream } from "../e2e/upstream.ts";
import { joinDocuments, upstreamResource } from "../stories/world.ts";
import { Load } from "./load.ts";
import { anyZone } from "./policies.ts";
import { type Proof, type Report, scaled } from "./proof.ts";

const ROUNDS = 30;
const RATE = 5000;
const WITHIN_MS = 1000;
const POLL_MS = 5;
/** Between two changes, as a person makes them. */
const REST_MS = 500;

/** The frontend's names go to the upstream that is changed, the platform's do not. */
const policy = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: frontend}
spec: {match: [{cidrs: ["127.0.1.0/24"]}], upstream: UPSTREAM}
---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: platform}
spec: {match: [{cidrs: ["127.0.3.0/24"]}], upstream: public}`;

export const dynamicUpstream: Proof = {
  name: "dynamic-upstream",
  what: "a new DoT upstream serves within 1 s of apply, without a restart, and no query of 5,000/s is lost",
  async run(scale, report) {
    const upstreams = { public: { zone: anyZone } };
    const stack = await Stack.start({ policy: policy.replace("UPSTREAM", "public"), upstreams, concurrency: 2 });
    const more: ScriptedUpstream[] = [];
    try {
      await change(stack, more, scaled(ROUNDS, scale, 3), report);
    } finally {
      await stack.stop();
      for (const upstream of more) await upstream.stop();
    }
  },
};

async function change(stack: Stack, more: ScriptedUpstream[], rounds: number, report: Report): Promise<void> {
  const envoy = stack.envoy;
  const load = await Load.start({
    server: stack.ask.at("udp"),
    from: stack.ask.from("frontend"),
    rate: RATE,
    names: Array.from({ length: 50 }, (_, index) => `n${index}.moving.org`),
  });
  const served: number[] = [];
  const applied: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const address = `192.0.2.${100 + round}`;
    const zone = parseZone(`*.org 300 A ${address}\n`);
    const upstream = await ScriptedUpstream.start({ tls: stack.certificates.upstream, zone });
    upstream.record = false;
    more.push(upstream);
    const name = `round-${round}`;
    const resource = upstreamResource(name, "DoT", upstream.ports.dot, stack.certificates.ca);
    const set = stack.policy({ policy: policy.replace("UPSTREAM", name), upstreams: { public: {} } });
    const started = performance.now();
    const apply = stack.apply(joinDocuments(set, resource)).then(() => applied.push(performance.now() - started));
    served.push(await untilServed(stack, address, started));
    await apply;
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
  }
  const result = await load.stop();
  served.sort((a, b) => a - b);
  report.figure("new upstreams", rounds);
  report.figure("queries", result.sent);
  report.figure("ms until the new upstream's answer, median", served[Math.floor(served.length / 2)] ?? 0);
  report.inTime("ms until the new upstream's answer, longest", served.at(-1) ?? Number.POSITIVE_INFINITY, WITHIN_MS);
  report.figure("ms until apply returned, longest", Math.max(...applied));
  report.atMost("queries lost", result.sent - result.answered, 0);
  report.atMost("queries failed", result.failed, 0);
  report.figure("p99 ms", result.p99Ms);
  report.check(stack.envoy === envoy && envoy.running, "expected the same Envoy, got another");
  report.atMost("VM reloads", await stack.reloads(), 0);
}

/** Milliseconds since a moment, when one of the load's names is first answered by the new upstream. */
async function untilServed(stack: Stack, address: string, since: number): Promise<number> {
  while (performance.now() - since < WITHIN_MS * 5) {
    const answer = await stack.ask.udp(encodeQuestion("n0.moving.org"));
    if (answer.answers.some(({ data }) => data === address)) return performance.now() - since;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`expected an answer of ${address} within ${WITHIN_MS * 5} ms, got none`);
}
