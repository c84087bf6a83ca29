/**
 * Makes build/image: the programs of the container image, each one file with all that it needs. `npm run bundle`
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { setup } from "./setup.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Packages in CommonJS ask for Node's own modules by require. */
const BANNER = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);
globalThis.bundleFolder = require("node:path").dirname(require("node:url").fileURLToPath(import.meta.url));`;

/** The client of etcd reads its protos from its own folder, which a bundle does not have. */
const etcdProtos = {
  name: "etcd protos",
  setup({ onLoad }) {
    onLoad({ filter: /etcd3\/lib\/connection-pool\.js$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      const contents = text.replace("__dirname}/../proto/", "globalThis.bundleFolder}/etcd3-proto/");
      if (contents === text) throw new Error(`${path}: expected the place of its protos, got none`);
      return { contents };
    });
  },
};

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
    banner: { js: BANNER },
    plugins: [etcdProtos],
    logLevel: "warning",
  });
  cpSync(`${root}node_modules/etcd3/proto`, `${root}build/image/etcd3-proto`, { recursive: true });
  cpSync(`${root}build/page`, `${root}build/image/page`, { recursive: true });
  // For pods, whose Envoy has an image of its own.
  cpSync(`${root}build/filter.wasm`, `${root}build/image/filter.wasm`);
  writeFileSync(`${root}build/image/package.json`, '{ "type": "module" }\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle();
