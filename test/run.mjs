/**
 * Runs every suite, or those with a part of their path: `node test/run.mjs [part of a path ...]`. A file that does not load is
 * a failure like any other. Ends with the line `N passed, N failed`.
 *
 * All of them are run by processes of their own: what needs a processor beside what mostly waits for an Envoy, and then by
 * itself what measures.
 */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import Mocha from "mocha";
import { register } from "tsx/esm/api";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const GROUP = "--group=";

/** In this order; a folder that is in none is of the units. */
const GROUPS = {
  units: [],
  envoy: ["test/envoy", "test/demo", "test/guide", "test/stories", "test/e2e"],
  measuring: ["test/page", "test/prove"],
};
const PHASES = [["units", "envoy"], ["measuring"]];

function findSuites() {
  const entries = readdirSync(join(root, "test"), { recursive: true, withFileTypes: true });
  const folders = Object.values(GROUPS).flat();
  const place = (file) => folders.findIndex((folder) => file.startsWith(`${folder}/`));
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort((a, b) => place(a) - place(b) || a.localeCompare(b));
}

function groupOf(file) {
  return Object.keys(GROUPS).find((group) => GROUPS[group].some((folder) => file.startsWith(`${folder}/`))) ?? "units";
}

async function runSuites(files) {
  register();
  const mocha = new Mocha({ timeout: 30_000, slow: 2000, reporter: "spec", checkLeaks: false });
  let broken = 0;
  for (const file of files) {
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
    end(passed, failed);
  });
  runner.on(Mocha.Runner.constants.EVENT_TEST_PASS, () => passed++);
}

async function runGroups() {
  let passed = 0;
  let failed = 0;
  for (const groups of PHASES) {
    const [first, ...others] = groups.map(runGroup);
    first?.shown();
    for (const group of [first, ...others]) {
      const counts = await group.ended;
      group.shown();
      passed += counts.passed;
      failed += counts.failed;
    }
  }
  end(passed, failed);
}

/** A process of its own, of which nothing is printed before it is to be shown. */
function runGroup(group) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), GROUP + group], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let held = [];
  let last = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      last = (last + chunk).slice(-200);
      if (held === undefined) process.stdout.write(chunk);
      else held.push(chunk);
    });
  }
  return {
    shown: () => {
      for (const chunk of held ?? []) process.stdout.write(chunk);
      held = undefined;
    },
    ended: new Promise((resolve) => {
      child.on("close", (code) => {
        const counts = /(\d+) passed, (\d+) failed\n$/.exec(last);
        if (counts === null) console.error(`${group}: ended with ${code} before all its suites had`);
        resolve({ passed: Number(counts?.[1] ?? 0), failed: Number(counts?.[2] ?? 1) });
      });
    }),
  };
}

function end(passed, failed) {
  process.stdout.write(`\n${passed} passed, ${failed} failed\n`, () =>
    process.exit(failed > 0 || passed === 0 ? 1 : 0),
  );
}

const wanted = process.argv.slice(2);
const group = wanted[0]?.startsWith(GROUP) ? wanted[0].slice(GROUP.length) : undefined;
if (wanted.length === 0) await runGroups();
else
  await runSuites(
    findSuites().filter((file) => (group ? groupOf(file) === group : wanted.some((part) => file.includes(part)))),
  );
