/**
 * Rollback: a bad policy is taken back by one call, which every worker has acknowledged when it returns.
 */
import { encodeQuestion } from "../e2e/dns.ts";
import { Stack, type StackOptions } from "../e2e/stack.ts";
import { Load } from "./load.ts";
import { anyZone, denyFrontend, tenants } from "./policies.ts";
import { type Proof, scaled } from "./proof.ts";

const ROLLBACKS = 200;
const RATE = 5000;
const LIMIT_MS = 1000;
const WORKERS = 2;

export const rollback: Proof = {
  name: "rollback",
  what: "a bad policy under 5,000 queries/s is gone, at every worker, by one call of less than a second",
  async run(scale, report) {
    const upstreams: StackOptions["upstreams"] = { public: { zone: anyZone } };
    const stack = await Stack.start({ policy: tenants, upstreams, concurrency: WORKERS });
    const good = stack.policy({ policy: tenants, upstreams });
    const bad = stack.policy({ policy: `${tenants}\n---\n${denyFrontend("*")}`, upstreams });
    const ask = async (name: string) => (await stack.ask.udp(encodeQuestion(name), "frontend")).rcode;
    const load = await Load.start({
      server: stack.ask.at("udp"),
      from: stack.ask.from("backend"),
      rate: RATE,
      names: Array.from({ length: 50 }, (_, index) => `n${index}.back.org`),
    });
    const count = scaled(ROLLBACKS, scale, 5);
    const took: number[] = [];
    let [unacknowledged, wrong] = [0, 0];
    try {
      await stack.apply(good);
      for (let number = 0; number < count; number++) {
        await stack.apply(bad);
        if ((await ask(`bad${number}.back.org`)) !== "NXDOMAIN") wrong++;
        const { body: history } = await stack.service.request("GET", "/v1/history");
        const before = JSON.parse(history).versions[1].sequence;
        const calledAt = performance.now();
        const { status, body } = await stack.service.request("POST", `/v1/rollback?version=${before}`);
        took.push(performance.now() - calledAt);
        const { workers, restores } = JSON.parse(body);
        if (status !== 200 || restores !== before || workers.acknowledged !== WORKERS) unacknowledged++;
        if ((await ask(`bad${number}.back.org`)) !== "NOERROR") wrong++;
      }
    } finally {
      const result = await load.stop();
      await stack.stop();
      report.atLeast("other tenants' queries answered, share", result.share, 0.999);
    }
    took.sort((a, b) => a - b);
    report.figure("rollbacks", count);
    report.figure("median ms", took[Math.floor(took.length / 2)] ?? 0);
    report.inTime("longest ms", took.at(-1) ?? 0, LIMIT_MS);
    report.atMost("not acknowledged by every worker", unacknowledged, 0);
    report.atMost("answers by the wrong policy", wrong, 0);
  },
};
