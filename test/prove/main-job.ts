/**
 * The main job: `npm start`, from a fresh clone at full size, and the lines that it prints do what they say.
 */
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { eventually, within } from "../e2e/clients/deadline.ts";
import { freePort } from "../e2e/ports.ts";
import type { Proof, Report } from "./proof.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));
const LIMIT_MS = 120_000;
const COUNTED_MS = 3000;
const FLAGS = ["udp", "tcp", "dot", "doh", "api"] as const;

/** What each line's output must show, in the order in which they are printed. */
const EXPECTED: [what: string, pattern: RegExp][] = [
  ["frontend is denied with its EDE", /NXDOMAIN[\s\S]*EDE: 15 \(Blocked\)/],
  ["backend is answered", /NOERROR[\s\S]*www\.example\.com\.\s+\d+\s+IN\s+A\s+192\.0\.2\.80/],
  ["backend is answered over DoT", /TLS session[\s\S]*NOERROR[\s\S]*198\.51\.100\.80/],
  ["platform is answered over DoH", /HTTP[\s\S]*NOERROR[\s\S]*10\.20\.0\.10/],
  ["frontend hears of both endpoints", /NOERROR(?=[\s\S]*IN\s+A\s+10\.244\.0\.5)(?=[\s\S]*IN\s+A\s+10\.244\.0\.6)/],
  ["backend hears of no name of the frontend's", /NXDOMAIN/],
  ["backend is told a virtual address", /NOERROR[\s\S]*api\.partner\.example\.\s+\d+\s+IN\s+A\s+240\.240\./],
  ["metrics tell tenants apart", /tenant="frontend"[\s\S]*tenant="|tenant="backend"/],
];

export const mainJob: Proof = {
  name: "main-job",
  what: "the lines that npm start prints do what they say, from a fresh clone in under 2 minutes",
  async run(scale, report) {
    if (scale < 1) return start(root, report);
    const clone = await mkdtemp(join(tmpdir(), "dnspolicy-clone-"));
    try {
      await run("git", ["clone", "--quiet", root, clone]);
      await start(clone, report);
    } finally {
      await rm(clone, { recursive: true, force: true });
    }
  },
};

async function start(folder: string, report: Report): Promise<void> {
  const flags: string[] = [];
  for (const flag of FLAGS) flags.push(`--${flag}`, String(await freePort()));
  const started = Date.now();
  // A process group of its own, as a terminal gives: Ctrl-C is a signal to all of it.
  const child = spawn("npm", ["start", "--silent", "--", ...flags], {
    cwd: folder,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  let output = "";
  const ready = new Promise<string>((resolve, reject) => {
    child.stderr.on("data", (data: Buffer) => {
      output += data.toString();
    });
    child.stdout.on("data", (data: Buffer) => {
      output += data.toString();
      if (output.includes("Ctrl-C stops everything")) resolve(output);
    });
    ended.then((code) => reject(new Error(`npm start ended with ${code}:\n${output}`)));
  });
  try {
    const text = await within(LIMIT_MS, "the lines", ready);
    report.atMost("seconds until a query is answered", (Date.now() - started) / 1000, LIMIT_MS / 1000);
    await tryLines(text, report);
  } finally {
    if (child.pid && child.exitCode === null) process.kill(-child.pid, "SIGINT");
    const code = await within(20_000, "end of npm start", ended);
    report.figure("exit code after Ctrl-C", code ?? "a signal");
    report.check(!(await anybodyLeft(child.pid)), "expected Ctrl-C to end every process, got some that are left");
  }
}

/** Whether the process group still has a process in it. */
async function anybodyLeft(group: number | undefined): Promise<boolean> {
  if (group === undefined) return false;
  const { stdout } = await run("ps", ["-A", "-o", "pgid="]);
  return stdout.split("\n").some((line) => Number(line) === group);
}

async function tryLines(text: string, report: Report): Promise<void> {
  const lines = text.split("\n").filter((line) => /^ {2}(dig|kdig|curl) /.test(line));
  report.check(lines.length === EXPECTED.length, `expected ${EXPECTED.length} lines to try, got ${lines.length}`);
  for (const [index, line] of lines.entries()) {
    const [what = "", pattern = /./] = EXPECTED[index] ?? [];
    let stdout = "";
    const tell = async () => {
      ({ stdout } = await run("sh", ["-c", line.trim()]));
      return pattern.test(stdout);
    };
    // Workers tell what they have counted once a second; answers are right at once, or wrong.
    if (line.includes("/metrics")) await eventually(COUNTED_MS, what, tell, 200).catch(() => {});
    else await tell();
    report.check(pattern.test(stdout), `${what}: expected ${pattern}, got from "${line.trim()}":\n${stdout}`);
  }
  report.figure("lines tried", lines.length);
}
