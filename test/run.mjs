/**
 * Runs every suite, or those with a part of their path: `node test/run.mjs [part of a path ...]`. A file that does not load is
 * a failure like any other. Ends with what has failed, if anything has, and the line `N passed, N failed`.
 *
 * All of them are run by two processes, which take what is next from the two ends of one list: what mostly waits for an Envoy
 * from the one, what needs a processor from the other. Then, by itself, what measures.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import Mocha from "mocha";
import { register } from "tsx/esm/api";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** By how their paths begin, in the order in which they are run. */
const WAITING = ["test/envoy/", "test/demo/", "test/guide/", "test/stories/", "test/e2e/"];
const MEASURING = ["test/page/", "test/prove/measures"];
const LANE = "--lane";
const NO_MORE = "";
/** So many characters of what a process said before it died are told at the end. */
const LAST_WORDS = 2000;

function findSuites() {
  const entries = readdirSync(join(root, "test"), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

async function runAll() {
  const files = findSuites();
  const ordered = (beginnings) => beginnings.flatMap((beginning) => files.filter((file) => file.startsWith(beginning)));
  const waiting = ordered(WAITING);
  const measuring = ordered(MEASURING);
  const others = files.filter((file) => !waiting.includes(file) && !measuring.includes(file));
  const list = [...waiting, ...others.reverse()];
  const sides = [runLane(() => list.shift()), runLane(() => list.pop())];
  const results = await shownInTurn(sides);
  results.push(...(await shownInTurn([runLane(() => measuring.shift())])));
  return { passed: results.reduce((sum, { passed }) => sum + passed, 0), failures: results.flatMap((r) => r.failures) };
}

/** Resolves to the number of tests that passed, and a line for each that did not. */
async function runSuites(files) {
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
    const runner = mocha.run(() => {
      // Else it hears what goes wrong in later suites, and hands it to all before it without end.
      runner.dispose();
      resolve();
    });
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

/** One suite after the other, in a process of their own, until `next` has none. What they print is kept for `shown`. */
function runLane(next) {
  let held = [];
  let last = "";
  const print = (chunk) => {
    last = `${last}${chunk}`.slice(-LAST_WORDS);
    return held === undefined ? process.stdout.write(chunk) : held.push(chunk);
  };
  const run = async () => {
    const results = [];
    let child;
    for (let file = next(); file !== undefined; file = next()) {
      child ??= startLane(print);
      last = "";
      child.send(file);
      const [result, signal] = await Promise.race([once(child, "message"), once(child, "close")]);
      if (typeof result === "object" && result !== null) results.push(result);
      else {
        const how = `its process ended with ${result ?? signal} before it had, after these words:\n${last}`;
        results.push({ passed: 0, failures: [`${file}: ${how}`] });
        child = undefined;
      }
    }
    if (child !== undefined) {
      child.send(NO_MORE);
      await once(child, "close");
    }
    return results;
  };
  return {
    shown: () => {
      for (const chunk of held ?? []) process.stdout.write(chunk);
      held = undefined;
    },
    ended: run(),
  };
}

function startLane(print) {
  const child = fork(fileURLToPath(import.meta.url), [LANE], { stdio: ["ignore", "pipe", "pipe", "ipc"] });
  child.stdout.on("data", print);
  child.stderr.on("data", print);
  return child;
}

/** Resolves to what all suites of the lanes came to; the first lane is shown as it goes, the others after it. */
async function shownInTurn(lanes) {
  const results = [];
  for (const lane of lanes) {
    lane.shown();
    results.push(...(await lane.ended));
  }
  return results;
}

function serveLane() {
  process.on("message", async (file) => {
    if (file === NO_MORE) process.exit();
    process.send(await runSuites([file]));
  });
  process.on("disconnect", () => process.exit());
}

function end({ passed, failures }) {
  // .ci/run keeps lines that begin so.
  const lines = failures.map((failure) => `failed: ${failure.trimEnd().replaceAll("\n", "\nfailed:   ")}\n`).join("");
  process.stdout.write(`\n${lines}${passed} passed, ${failures.length} failed\n`, () =>
    process.exit(failures.length > 0 || passed === 0 ? 1 : 0),
  );
}

register();
// A failure of the test that runs: Mocha's own command does as much.
process.on("unhandledRejection", (reason) => {
  throw reason;
});
const wanted = process.argv.slice(2);
if (wanted[0] === LANE) serveLane();
else if (wanted.length === 0) end(await runAll());
else end(await runSuites(findSuites().filter((file) => wanted.some((part) => file.includes(part)))));
