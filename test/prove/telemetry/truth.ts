/**
 * Truth: metrics, rows of both logs, sums for the page and Envoy's own counters agree exactly.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CLIENTS, type Stack } from "../../e2e/stack.ts";
import { command } from "../../e2e/tools.ts";
import { type Proof, scaled } from "../proof.ts";
import { checkAgreement, lookAt, since, startObserved } from "./observed.ts";

const QUERIES = 100_000;
const NAMES = 2000;
/** Queries a second: beyond what the cores have room for, events are dropped, which is counted and no untruth. */
const RATE = 15_000;

export const truth: Proof = {
  name: "truth",
  what: "100,000 mixed queries of dnsperf: metrics, rows of the logs, the page's sums and Envoy's own stats agree exactly",
  async run(scale, report) {
    const stack = await startObserved();
    try {
      const before = await lookAt(stack);
      const each = scaled(QUERIES / 2, scale, 1000);
      const asked = (await ask(stack, "frontend", each)) + (await ask(stack, "backend", each));
      const after = await lookAt(stack);
      const metrics = since(before.metrics, after.metrics);
      report.check(
        (metrics.denied ?? 0) > 0 && (metrics.forwarded ?? 0) > 0,
        "expected answers and denials, got one kind",
      );
      report.check(after.dropped === before.dropped, "expected no event to be dropped");
      checkAgreement(report, asked, before, after);
    } finally {
      await stack.stop();
    }
  },
};

/** How many queries dnsperf has sent. */
async function ask(stack: Stack, tenant: "frontend" | "backend", count: number): Promise<number> {
  const file = join(stack.directory, `${tenant}.txt`);
  const names = Array.from({ length: NAMES }, (_, index) => {
    const zone = ["org", "com", "net", "test"][index % 4];
    const type = ["A", "AAAA", "TXT"][index % 3];
    return `n${index}.${zone} ${type}`;
  });
  const lines = Array.from({ length: count }, (_, index) => names[(index * 7) % NAMES]);
  await writeFile(file, `${lines.join("\n")}\n`);
  const { host, ports } = stack.target;
  // Few at once: what a socket's buffer has no room for would be sent, and never seen by Envoy.
  const said = await command(
    "dnsperf",
    "-s",
    host,
    "-p",
    ports.udp,
    "-a",
    CLIENTS[tenant],
    "-d",
    file,
    "-q",
    20,
    "-Q",
    RATE,
    "-t",
    5,
  );
  return Number(/Queries sent: +(\d+)/.exec(said)?.[1] ?? Number.NaN);
}
