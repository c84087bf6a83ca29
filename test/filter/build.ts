/**
 * Compiles AssemblyScript test entries against `filter/` and instantiates them on a stub of Envoy that keeps what a
 * connection was written. Compiled modules are kept by the content of everything they could be made of.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const root = fileURLToPath(new URL("../../", import.meta.url));
const cache = join(root, ".cache", "filter-tests");
const abort = "filter/host/abort.ts";
/** Those of asconfig.json, which itself would have every test compile the whole filter, and optimize it for seconds. */
const options = [
  ...["--config", "none", "--runtime", "minimal", "--maximumMemory", "16384"],
  ...["--use", "abort=filter/host/abort/abort", "--exportStart", "_initialize"],
];
const release = ["-O3", "--noAssert"];

/** What an entry exports besides its memory: functions of numbers. */
export type Entry = Record<string, (...values: (number | bigint)[]) => number>;

export interface Instance {
  readonly entry: Entry;
  /** Octets in the guest's memory; a new view each time, since memory grows. */
  memory(): Uint8Array;
  /** What was written to a connection since the last time. */
  take(context: number): Uint8Array;
  /** Connections that the guest has closed. */
  readonly closed: Set<number>;
}

/** Compiles the entry, a path from the repository's root; `optimized`: as for release. */
export async function compile(entry: string, { optimized = false } = {}): Promise<WebAssembly.Module> {
  return WebAssembly.compile(readFileSync(await compileToFile(entry, { optimized })));
}

/** The same for those who are to load it themselves: the module's path. */
export async function compileToFile(entry: string, { optimized = false } = {}): Promise<string> {
  const asked = optimized ? [...options, ...release] : options;
  const key = createHash("sha256").update(asked.join(" "));
  for (const file of [...sourcesIn("filter"), ...sourcesIn(dirname(entry)), "package-lock.json"].sort())
    key.update(file).update(readFileSync(join(root, file)));
  const path = join(cache, `${key.update(entry).digest("hex")}.wasm`);
  if (!existsSync(path)) {
    const bytes = await build(entry, asked);
    mkdirSync(cache, { recursive: true });
    writeFileSync(`${path}.${process.pid}`, bytes);
    renameSync(`${path}.${process.pid}`, path);
  }
  return path;
}

async function build(entry: string, asked: string[]): Promise<Uint8Array> {
  let bytes: Uint8Array | undefined;
  const { error, stderr } = await asc.main([abort, entry, "-o", "out.wasm", ...asked, "--baseDir", root], {
    writeFile: (name, contents) => {
      if (name === "out.wasm" && typeof contents !== "string") bytes = contents;
    },
  });
  if (error || !bytes) throw new Error(`${entry} does not compile: ${error?.message}\n${stderr.toString()}`);
  return bytes;
}

function sourcesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile() && file.name.endsWith(".ts"))
    .map((file) => join(folder, join(file.parentPath ?? file.path, file.name).slice(join(root, folder).length + 1)));
}

export async function instantiate(module: WebAssembly.Module): Promise<Instance> {
  const written = new Map<number, Uint8Array[]>();
  const closed = new Set<number>();
  let context = 0;
  let memoryOf = (): Uint8Array => new Uint8Array();
  const named: Record<string, (...values: number[]) => number> = {
    proxy_set_effective_context: (id = 0) => {
      context = id;
      return 0;
    },
    proxy_set_buffer_bytes: (_type, _start, _max, at = 0, length = 0) => {
      const bytes = memoryOf().slice(at, at + length);
      const all = written.get(context);
      if (all) all.push(bytes);
      else written.set(context, [bytes]);
      return 0;
    },
    proxy_close_stream: () => {
      closed.add(context);
      return 0;
    },
  };
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const room of ["env", "wasi_snapshot_preview1"])
    imports[room] = new Proxy({}, { get: (_target, name) => named[String(name)] ?? (() => 0), has: () => true });
  const instance = await WebAssembly.instantiate(module, imports);
  const exported = instance.exports as { memory: WebAssembly.Memory } & Entry;
  memoryOf = () => new Uint8Array(exported.memory.buffer);
  exported._initialize?.();
  return {
    entry: exported,
    memory: memoryOf,
    take: (id) => {
      const all = Buffer.concat(written.get(id) ?? []);
      written.delete(id);
      return all;
    },
    closed,
  };
}
