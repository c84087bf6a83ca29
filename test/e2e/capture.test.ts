/**
 * Programs that were told another name server ask Envoy all the same: glibc's and musl's resolvers, unchanged, in a network
 * namespace of their own, where nobody is at the address that they were told.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CAPTURE_WAYS } from "../../extproc/cli/capture-command.ts";

const run = promisify(execFile);
const here = (path: string) => join(import.meta.dirname, path);

describe("captured programs", function () {
  this.timeout(120_000);
  let directory: string;
  let musl: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "dnspolicy-"));
    musl = join(directory, "lookup");
    await run("musl-gcc", ["-static", "-o", musl, here("capture-lookup.c")]);
    await run("chmod", ["-R", "a+rX", directory]);
  });
  after(() => rm(directory, { recursive: true }));

  for (const way of CAPTURE_WAYS) {
    it(`ask Envoy by ${way}, and no more when that is removed`, async () => {
      const story = ["--import", "tsx", here("capture-story.ts"), way, directory, musl];
      const { stdout } = await run("unshare", ["--net", "--mount", process.execPath, ...story], { timeout: 110_000 });
      assert.match(stdout, /^told to the end$/m);
    });
  }
});
