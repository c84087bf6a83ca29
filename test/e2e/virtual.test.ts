/**
 * Connections to virtual addresses, of programs that know nothing of Envoy, in a network namespace of their own.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

describe("connections to virtual addresses", function () {
  this.timeout(180_000);

  const tell = async (file: string) => {
    const directory = await mkdtemp(join(tmpdir(), "dnspolicy-"));
    await run("chmod", ["a+rx", directory]);
    try {
      const story = ["--import", "tsx", join(import.meta.dirname, file), directory];
      const { stdout } = await run("unshare", ["--net", "--mount", process.execPath, ...story], { timeout: 170_000 });
      assert.match(stdout, /^told to the end$/m);
    } finally {
      await rm(directory, { recursive: true });
    }
  };

  it("reach each name's own server, across pushes and restarts", () => tell("virtual-story.ts"));
  it("are opened for those who may know the name, where that is asked", () => tell("virtual-check-story.ts"));
});
