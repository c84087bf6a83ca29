/**
 * A policy service that is stopped: answers go on, Envoy's memory does not grow, and every event that is lost is counted.
 */
import { setTimeout as pause } from "node:timers/promises";
import { CLIENTS } from "../../e2e/stack.ts";
import { Load } from "../load.ts";
import { type Proof, scaled } from "../proof.ts";
import { lookAt, startObserved, total } from "./observed.ts";

const SECONDS = 300;
const RATE = 5000;
/** Events of two workers in four reports each. */
const UNDER_WAY = 2 * 4 * 1000;
const GROWTH_MIB = 16;

export const hungService: Proof = {
  name: "hung-service",
  what: "the policy service is stopped for 5 minutes at 5,000 queries/s: Envoy's memory stays, and loss is counted",
  async run(scale, report) {
    const stack = await startObserved();
    try {
      const { host, ports } = stack.target;
      const names = Array.from({ length: 500 }, (_, index) => `n${index}.org`);
      const load = await Load.start({ server: { host, port: ports.udp }, from: CLIENTS.backend, rate: RATE, names });
      await pause(3000);
      const rss = () => stack.envoy.residentBytes / 2 ** 20;
      stack.service.program.signal("SIGSTOP");
      await pause(2000);
      const before = rss();
      await pause(scaled(SECONDS, scale, 8) * 1000);
      const after = rss();
      stack.service.program.signal("SIGCONT");
      await pause(3000);
      const result = await load.stop();
      const told = await lookAt(stack);
      const counted = total(told.metrics);
      const heard = total(told.page);
      report.figure("queries", result.sent);
      report.atLeast("answered, share", result.share, 0.999);
      report.atMost("growth of Envoy's memory, MiB", after - before, GROWTH_MIB);
      report.figure("events that were lost", told.dropped);
      report.check(told.dropped > 0, "expected lost events while nobody reads them, got none");
      const unknown = counted - heard - told.dropped;
      // Before the first word of the service a few queries of the harness had no event to be sent.
      report.atMost("queries that were lost and not counted as lost", Math.max(unknown, 0), 20);
      // What was under way when a stream ended counts as lost, and may have arrived.
      report.atMost("queries that were heard and counted as lost", Math.max(-unknown, 0), UNDER_WAY);
    } finally {
      stack.service.program.signal("SIGCONT");
      await stack.stop();
    }
  },
};
