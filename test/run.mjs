/**
 * Runs every suite: `node test/run.mjs [part of a path ...]`. A file that does not load is a failure like any other.
 * Ends with the line `N passed, N failed`.
 */
import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import Mocha from "mocha";
import { register } from "tsx/esm/api";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const wanted = process.argv.slice(2);

/** Units first, what starts an Envoy last: the cheap failures are seen early. */
const last = ["test/envoy", "test/demo", "test/e2e", "test/page", "test/prove"];

function findSuites() {
  const entries = readdirSync(join(root, "test"), { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
  const place = (file) => last.findIndex((folder) => file.startsWith(`${folder}/`));
  return files.sort((a, b) => place(a) - place(b) || a.localeCompare(b));
}

register();
const mocha = new Mocha({ timeout: 30_000, slow: 2000, reporter: "spec", checkLeaks: false });
let broken = 0;
for (const file of findSuites()) {
  const path = join(root, file);
  mocha.suite.emit(Mocha.Suite.constants.EVENT_FILE_PRE_REQUIRE, globalThis, path, mocha);
  try {
    await import(pathToFileURL(path).href);
  } catch (error) {
    broken++;
    console.error(`${file} does not load:\n${error.stack ?? error}\n`);
  }
}

let passed = 0;
let failed = broken;
const runner = mocha.run((failures) => {
  failed += failures;
  const skipped = runner.stats?.pending ?? 0;
  // A skipped test hides what it would have found: here it counts against the run.
  if (skipped > 0) console.error(`${skipped} tests were skipped`);
  failed += skipped;
  process.stdout.write(`\n${passed} passed, ${failed} failed\n`, () =>
    process.exit(failed > 0 || passed === 0 ? 1 : 0),
  );
});
runner.on(Mocha.Runner.constants.EVENT_TEST_PASS, () => passed++);
