/**
 * Makes a clone ready to run: packages, builds, Envoy. Plain Node, since it runs before anything is installed, and
 * nearly nothing to do the second time.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findEnvoy } from "../envoy/fetch.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What is built, from what, by which script of package.json. In order: the types of the protos come first. */
const builds = [
  { script: "build:protos", inputs: ["protos"], output: "extproc/gen" },
  {
    script: "build:extproc",
    inputs: ["extproc", "envoy", "demo", "protos", "tsconfig.json", "tsconfig.build.json"],
    output: "build/extproc/main.js",
  },
  {
    script: "build:page",
    inputs: ["page", "extproc/resources/difference.ts", "tsconfig.json"],
    output: "build/page/index.html",
  },
  { script: "build:filter", inputs: ["filter", "asconfig.json"], output: "build/filter.wasm" },
];

/** Returns the path of Envoy. */
export function setup() {
  checkNode();
  if (!isInstalled()) run("installing packages", ["ci", "--no-fund", "--no-audit"]);
  for (const build of builds) rebuild(build);
  return findEnvoy();
}

function checkNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) throw new Error(`expected Node 20 or later, got ${process.versions.node}`);
}

/** Whether node_modules holds the versions of the lock file; what is optional may be missing. */
function isInstalled() {
  const hidden = join(root, "node_modules/.package-lock.json");
  if (!existsSync(hidden)) return false;
  const wanted = readPackages(join(root, "package-lock.json"));
  const present = readPackages(hidden);
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "") return true;
    const found = present[path];
    return found ? found.version === entry.version : entry.optional === true || entry.peer === true;
  });
}

function readPackages(file) {
  return JSON.parse(readFileSync(file, "utf8")).packages;
}

function rebuild({ script, inputs, output }) {
  const stamp = join(root, "build", `.${script.replace(":", "-")}`);
  const sum = hash(["package-lock.json", ...inputs]);
  if (existsSync(join(root, output)) && existsSync(stamp) && readFileSync(stamp, "utf8") === sum) return;
  run(`npm run ${script}`, ["run", "--silent", script]);
  mkdirSync(join(root, "build"), { recursive: true });
  // Built files may lie among the inputs.
  writeFileSync(stamp, hash(["package-lock.json", ...inputs]));
}

function hash(inputs) {
  const sum = createHash("sha256");
  for (const input of inputs) {
    for (const file of filesOf(join(root, input))) sum.update(file.slice(root.length)).update(readFileSync(file));
  }
  return sum.digest("hex");
}

function filesOf(path) {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path, { recursive: true, withFileTypes: true });
  const files = names
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return files.sort();
}

function run(what, args) {
  process.stderr.write(`${what}\n`);
  const { status, stdout, stderr, error } = spawnSync("npm", args, { cwd: root, encoding: "utf8" });
  if (status === 0) return;
  throw new Error(`${what} failed\n${error?.message ?? `${stdout}${stderr}`.trim()}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    setup();
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
