import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "../../demo/child.ts";

describe("A program that is kept running", () => {
  let folder: string;
  let child: Child | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "dnspolicy-test-"));
  });

  afterEach(async () => {
    await child?.stop(100);
    rmSync(folder, { recursive: true, force: true });
  });

  function shell(script: string, onRestart?: (name: string, how: string, delay: number) => void): Child {
    const program = { name: "sh", command: "/bin/sh", arguments: ["-c", script], log: join(folder, "log") };
    child = new Child(program, onRestart ? { onRestart } : {});
    return child;
  }

  it("is started again when it is killed, with another process id", async () => {
    let restarted: (how: string) => void = () => {};
    const how = new Promise<string>((resolve) => {
      restarted = resolve;
    });
    const program = shell("exec sleep 60", (_, reason) => restarted(reason));
    program.start();
    const first = program.pid;
    process.kill(first ?? 0, "SIGKILL");
    assert.equal(await how, "SIGKILL");
    await until(() => program.pid !== undefined && program.pid !== first);
  });

  it("that never lives long is started ever less often", async () => {
    const delays: number[] = [];
    shell("exit 3", (_, how, delay) => {
      assert.equal(how, "exit code 3");
      delays.push(delay);
    }).start();
    await until(() => delays.length === 3);
    assert.deepEqual(delays, [100, 200, 400]);
  });

  it("ends when told to, even if it will not, and stays away", async () => {
    const program = shell("trap '' TERM; echo ready; while :; do sleep 1; done", () => assert.fail("started again"));
    program.start();
    const pid = program.pid ?? 0;
    await until(() => existsSync(join(folder, "log")) && readFileSync(join(folder, "log"), "utf8").includes("ready"));
    await program.stop(50);
    assert.throws(() => process.kill(pid, 0), /ESRCH/);
  });

  it("that does not exist is reported", async () => {
    const reasons: string[] = [];
    const program = { name: "none", command: join(folder, "none"), arguments: [], log: join(folder, "log") };
    child = new Child(program, { onRestart: (_, how) => reasons.push(how) });
    child.start();
    await until(() => reasons.length > 0);
    assert.match(reasons[0] ?? "", /ENOENT/);
  });
});

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
}
