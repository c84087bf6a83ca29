/**
 * Told in a network and mount namespace of its own, as root: `resolvers-story.ts DIRECTORY PROGRAMS`. Each program asks
 * for each name, as a pod's resolv.conf lets it; what came of it is printed as JSON.
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startMeshStack } from "../mesh-table.ts";
import { NAMES, type Program, type Told } from "./programs.ts";

const [directory = "", text = ""] = process.argv.slice(2);
const programs = JSON.parse(text) as readonly Program[];
const run = promisify(execFile);

await run("ip", ["link", "set", "lo", "up"]);
const file = join(directory, "resolv.conf");
const search = "web.svc.cluster.local svc.cluster.local cluster.local";
await writeFile(file, `nameserver 127.0.0.1\nsearch ${search}\noptions ndots:5 timeout:2 attempts:2\n`, {
  mode: 0o644,
});
await run("mount", ["--bind", file, "/etc/resolv.conf"]);
// Programs ask from 127.0.0.1 here.
const stack = await startMeshStack({ dnsPort: 53, frontend: "127.0.0.0/24" });
try {
  const told: Told = { answers: {}, asked: [] };
  for (const { name, command, words } of programs) {
    const answers: Record<string, readonly string[]> = {};
    for (const asked of Object.keys(NAMES)) {
      const { stdout } = await run(command, [...words, asked], { timeout: 20_000 }).catch(() => ({ stdout: "" }));
      const addresses = stdout.split("\n").map((line) => line.split(/\s/)[0] ?? "");
      answers[asked] = [...new Set(addresses.filter((address) => address !== ""))].sort();
    }
    told.answers[name] = answers;
  }
  told.asked.push(...stack.upstream().asked.map(({ name }) => name));
  console.log(JSON.stringify(told));
} finally {
  await stack.stop();
}
