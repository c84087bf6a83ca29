/**
 * Makes build/image: the programs of the container image, each one file with all that it needs. `npm run bundle`
 */
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { setup } from "./setup.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

export async function bundle() {
  setup();
  rmSync(`${root}build/image`, { recursive: true, force: true });
  mkdirSync(`${root}build/image`, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: {
      dnspolicy: "extproc/main.ts",
      // Loaded by its name from beside the program: the compiler's thread.
      worker: "extproc/compile-thread/worker.ts",
      "list-thread": "extproc/lists/list-thread.ts",
      "thread-main": "extproc/telemetry/thread-main.ts",
      "mesh-thread": "extproc/mesh/mesh-thread.ts",
      upstream: "demo/upstream-main.ts",
      certificates: "demo/certificates-main.ts",
      ask: "demo/ask-main.ts",
    },
    outdir: "build/image",
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    sourcemap: "linked",
    // Native, optional, and loaded only for a query store.
    external: ["@duckdb/node-api"],
    // Packages in CommonJS ask for Node's own modules by require.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: "warning",
  });
  cpSync(`${root}build/page`, `${root}build/image/page`, { recursive: true });
  // For pods, whose Envoy has an image of its own.
  cpSync(`${root}build/filter.wasm`, `${root}build/image/filter.wasm`);
  writeFileSync(`${root}build/image/package.json`, '{ "type": "module" }\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle();
