/**
 * `npm start` as its user has it: what it prints works, what dies comes back, and nothing stays.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { defaultPorts, type Ports } from "../../demo/ports.ts";
import { eventually } from "../e2e/clients/deadline.ts";
import { freePort } from "../e2e/ports.ts";
import { Program } from "../e2e/process.ts";

const run = promisify(execFile);
const start = fileURLToPath(new URL("../../demo/start.mjs", import.meta.url));

async function freePorts(): Promise<Ports> {
  const ports = { ...defaultPorts };
  for (const flag of Object.keys(ports) as (keyof Ports)[]) ports[flag] = await freePort();
  return ports;
}

function demo(ports: Ports): Program {
  const flags = Object.entries(ports).map(([flag, port]) => `--${flag}=${port}`);
  return new Program("demo", process.execPath, [start, ...flags, "--workers=1"]);
}

/** Processes whose command line names the folder. */
function processesOf(folder: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(folder);
    } catch {
      return false;
    }
  });
}

describe("npm start", function () {
  this.timeout(120_000);
  let program: Program;
  let ports: Ports;
  let commands: string[];
  let folder: string;

  before(async () => {
    ports = await freePorts();
    program = demo(ports);
    await eventually(90_000, "lines to try", async () => {
      if (!program.running) throw new Error(`the demo ended: ${program.output}`);
      return program.output.includes("Ctrl-C stops everything");
    });
    commands = program.output.split("\n").filter((line) => /^ {2}\w/.test(line));
    folder = /CA, a client certificate and logs are in (.*)\//.exec(program.output)?.[1] ?? "";
  });

  after(() => program?.stop());

  async function say(line: string | undefined): Promise<string> {
    return (await run("/bin/sh", ["-c", line ?? "exit 1"])).stdout;
  }

  it("prints lines that do what they say", async () => {
    assert.equal(commands.length, 8);
    const [denied, answered, dot, doh, headless, hidden, virtual, metrics] = commands;
    assert.match(await say(denied), /status: NXDOMAIN[\s\S]*EDE: 15/);
    assert.match(await say(answered), /status: NOERROR[\s\S]*\b192\.0\.2\.80\b/);
    assert.match(await say(dot), /\b198\.51\.100\.80\b/);
    assert.match(await say(doh), /\b10\.20\.0\.10\b/);
    assert.match(await say(headless), /status: NOERROR[\s\S]*\b10\.244\.0\.5\b/);
    assert.match(await say(hidden), /status: NXDOMAIN[\s\S]*\bcluster\.local\.\s+5\s+IN\s+SOA\b/);
    assert.match(await say(virtual), /api\.partner\.example\.\s+5\s+IN\s+A\s+240\.240\./);
    await eventually(10_000, "metrics of both tenants", async () => {
      const text = await say(metrics);
      return /tenant="frontend"/.test(text) && /tenant="backend"/.test(text);
    });
  });

  it("says in one line that a port is taken", async () => {
    const second = demo({ ...(await freePorts()), dot: ports.dot });
    assert.equal(await second.ended, 1);
    assert.equal(second.output.trim().split("\n").at(-1), `port ${ports.dot}/tcp is taken: choose another with --dot`);
  });

  for (const name of ["envoy.yaml", "policy.sock"]) {
    it(`starts ${name === "envoy.yaml" ? "Envoy" : "the policy service"} again when it is killed`, async () => {
      const victim = processesOf(`${folder}/${name}`);
      assert.equal(victim.length, 1);
      process.kill(victim[0] ?? 0, "SIGKILL");
      await eventually(30_000, "answers and denials as before", async () => {
        const others = processesOf(`${folder}/${name}`).filter((pid) => pid !== victim[0]);
        if (others.length !== 1) return false;
        const said = await Promise.all(
          commands.slice(0, 2).map((command) => say(`${command} +tries=1 +timeout=1 || true`)),
        );
        return said[0]?.includes("status: NXDOMAIN") === true && said[1]?.includes("192.0.2.80") === true;
      });
    });
  }

  it("leaves nothing after SIGTERM", async () => {
    program.signal("SIGTERM");
    assert.equal(await program.ended, 0);
    assert.equal(existsSync(folder), false);
    assert.deepEqual(processesOf(folder), []);
  });
});
