/**
 * Runs every suite, or those with a part of their path: `node test/run.mjs [part of a path ...]`. A file that does not load is
 * a failure like any other. Ends with what has failed, if anything has, and the line `N passed, N failed`.
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

/** In this order, by how their paths begin; what is in none is of the units, before the others of them. */
const GROUPS = {
  units: ["test/prove/results"],
  envoy: ["test/envoy/", "test/demo/", "test/guide/", "test/stories/", "test/e2e/"],
  measuring: ["test/page/", "test/prove/measures"],
};
const PHASES = [["units", "envoy"], ["measuring"]];

function findSuites() {
  const entries = readdirSync(join(root, "test"), { recursive: true, withFileTypes: true });
  const beginnings = Object.values(GROUPS).flat();
  const place = (file) => beginnings.findIndex((beginning) => file.startsWith(beginning));
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort((a, b) => place(a) - place(b) || a.localeCompare(b));
}

function groupOf(file) {
  return Object.keys(GROUPS).find((group) => GROUPS[group].some((beginning) => file.startsWith(beginning))) ?? "units";
}

/** Resolves to the number of tests that passed, and a line for each that did not. */
async function runSuites(files) {
  register();
  const mocha = new Mocha({ timeout: 30_000, slow: 2000, reporter: "spec", checkLeaks: false });
  const failures = [];
  for (const file of files) {
    const path = join(root, file);
    mocha.suite.emit(Mocha.Suite.constants.EVENT_FILE_PRE_REQUIRE, globalThis, path, mocha);
    try {
      await import(pathToFileURL(path).href);
    } catch (error) {
      failures.push(`${file} does not load`);
      console.error(`${file} does not load:\n${error.stack ?? error}\n`);
    }
  }
  let passed = 0;
  await new Promise((resolve) => {
    const runner = mocha.run(resolve);
    runner.on(Mocha.Runner.constants.EVENT_TEST_PASS, () => passed++);
    runner.on(Mocha.Runner.constants.EVENT_TEST_FAIL, (test, error) => {
      failures.push(`${test.fullTitle()}: ${firstLine(error)}`);
    });
    // A skipped test hides what it would have found: here it counts against the run.
    runner.on(Mocha.Runner.constants.EVENT_TEST_PENDING, (test) => failures.push(`${test.fullTitle()}: skipped`));
  });
  return { passed, failures };
}

function firstLine(error) {
  return String(error?.message ?? error)
    .split("\n", 1)[0]
    .slice(0, 300);
}

async function runGroups() {
  let passed = 0;
  const failures = [];
  for (const groups of PHASES) {
    const [first, ...others] = groups.map(runGroup);
    first?.shown();
    for (const group of [first, ...others]) {
      const result = await group.ended;
      group.shown();
      passed += result.passed;
      failures.push(...result.failures);
    }
  }
  return { passed, failures };
}

/** A process of its own, of which nothing is printed before it is to be shown. */
function runGroup(group) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), GROUP + group], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let held = [];
  let result;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      if (held === undefined) process.stdout.write(chunk);
      else held.push(chunk);
    });
  }
  child.on("message", (message) => {
    result = message;
  });
  return {
    shown: () => {
      for (const chunk of held ?? []) process.stdout.write(chunk);
      held = undefined;
    },
    ended: new Promise((resolve) => {
      child.on("close", (code) => {
        resolve(result ?? { passed: 0, failures: [`${group}: ended with ${code} before all its suites had`] });
      });
    }),
  };
}

/** To the process that runs all groups, or to whoever reads. */
function tell({ passed, failures }) {
  const end = () => process.exit(failures.length > 0 || passed === 0 ? 1 : 0);
  if (process.send !== undefined) process.send({ passed, failures }, end);
  else {
    const lines = failures.map((failure) => `failed: ${failure}\n`).join("");
    process.stdout.write(`\n${lines}${passed} passed, ${failures.length} failed\n`, end);
  }
}

const wanted = process.argv.slice(2);
const group = wanted[0]?.startsWith(GROUP) ? wanted[0].slice(GROUP.length) : undefined;
const isWanted = (file) => (group ? groupOf(file) === group : wanted.some((part) => file.includes(part)));
tell(wanted.length === 0 ? await runGroups() : await runSuites(findSuites().filter(isWanted)));
