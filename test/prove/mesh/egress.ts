/**
 * Connections to virtual addresses: two servers at one port behind two names, and a thousand names beside them. What is told
 * in a network namespace by egress-main.ts is judged here.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Proof, scaled } from "../proof.ts";
import type { EgressFigures, EgressSize } from "./egress-main.ts";

const CONNECTIONS = 10_000;
const ENTRIES = 1000;
const UPDATES = 50;
const UPDATE_LIMIT_MS = 1000;

export const egress: Proof = {
  name: "egress",
  what: "two names at one port: each reaches its own server, 10,000 times, across pushes and restarts; among 1,000 entries, an update takes 1 s at most",
  async run(scale, report) {
    const figures = await tell({
      connections: scaled(CONNECTIONS, scale, 400),
      entries: scaled(ENTRIES, scale, 20),
      updates: scaled(UPDATES, scale, 3),
    });
    report.atMost("connections that reached another's server", figures.wrong, 0);
    report.figure("connections to each name", figures.reached);
    report.figure("attempts that reached nobody, and were made again", figures.failed);
    report.figure("of these while Envoy was there", figures.failedWithEnvoy);
    report.figure("pushes meanwhile", figures.pushes);
    report.figure("kills of the policy service meanwhile", figures.serviceKills);
    report.figure("restarts of Envoy meanwhile", figures.envoyRestarts);
    report.figure("a connection was kept open beside pushes, s", figures.keptMs / 1000);
    report.check(figures.kept, "a connection was cut by what was pushed for others");
    report.figure("entries", figures.entries);
    report.figure("all entries pushed at once, s until the last took connections", figures.loadMs / 1000);
    report.figure("update of one entry, ms, median", figures.updateMs[Math.floor(figures.updateMs.length / 2)] ?? 0);
    report.inTime(
      "update of one entry, ms, longest",
      figures.updateMs.at(-1) ?? Number.POSITIVE_INFINITY,
      UPDATE_LIMIT_MS,
    );
    report.figure("Envoy, MiB before the entries", figures.envoyMiB[0]);
    report.figure("Envoy, MiB with them", figures.envoyMiB[1]);
    report.figure("policy service, MiB before the entries", figures.serviceMiB[0]);
    report.figure("policy service, MiB with them", figures.serviceMiB[1]);
  },
};

async function tell(size: EgressSize): Promise<EgressFigures> {
  const directory = await mkdtemp(join(tmpdir(), "dnspolicy-egress-"));
  await chmod(directory, 0o755);
  try {
    const child = fork(fileURLToPath(new URL("egress-main.ts", import.meta.url)), [directory, JSON.stringify(size)], {
      execPath: "unshare",
      execArgv: ["--net", "--mount", process.execPath, "--import", "tsx"],
    });
    const told = once(child, "message") as Promise<[EgressFigures]>;
    const ended = once(child, "exit").then(([code]) => {
      throw new Error(`egress-main.ts ended with ${code}`);
    });
    const [figures] = await Promise.race([told, ended]);
    ended.catch(() => {});
    return figures;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
