/**
 * Resolvers that are not ours look up names as a pod's programs write them, with its search list and ndots, in a network
 * namespace in which nothing but Envoy answers at port 53.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Proof } from "../proof.ts";
import { findPrograms, NAMES, type Told } from "./resolvers/programs.ts";

const run = promisify(execFile);
/** Without these, nothing is shown: every machine that tests has them. */
const LEAST = ["glibc", "musl", "Python", "Node"];

export const resolvers: Proof = {
  name: "resolvers",
  what: "short names by glibc, musl, c-ares, Go, Python and Node, in a network namespace with a pod's resolv.conf",
  async run(_scale, report) {
    const directory = await mkdtemp(join(tmpdir(), "dnspolicy-resolvers-"));
    try {
      const { found, missing } = await findPrograms(directory);
      const story = join(import.meta.dirname, "resolvers/resolvers-story.ts");
      const words = ["--net", "--mount", process.execPath, "--import", "tsx", story, directory, JSON.stringify(found)];
      const { stdout } = await run("unshare", words, { timeout: 170_000 });
      const { answers, asked } = JSON.parse(stdout) as Told;
      let wrong = 0;
      for (const { name } of found) {
        for (const [question, expected] of Object.entries(NAMES)) {
          const got = answers[name]?.[question] ?? [];
          if (JSON.stringify(got) === JSON.stringify(expected)) continue;
          wrong++;
          report.check(
            false,
            `${question} by ${name}: expected ${expected.join(" ") || "nothing"}, got ${got.join(" ")}`,
          );
        }
      }
      report.figure("resolvers", found.map(({ name }) => name).join(", "));
      report.figure("not on this machine", missing.join(", ") || "none");
      const lacking = LEAST.filter((name) => !found.some((one) => one.name === name));
      report.check(lacking.length === 0, `expected ${LEAST.join(", ")} on this machine, got no ${lacking.join(", ")}`);
      report.figure("names", Object.keys(NAMES).length);
      report.atMost("wrong answers", wrong, 0);
      const searched = asked.filter((name) => /cluster\.local$/.test(name));
      report.atMost("names with a search domain that reached the upstream", searched.length, 0);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};
