/**
 * Programs that look names up, each by a resolver that is not ours, and what they must be told.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Program {
  readonly name: string;
  readonly command: string;
  /** The name comes behind them. Prints a line that begins with an address for each, or fails. */
  readonly words: readonly string[];
}

/** What came of each name, by program, and what the upstream was asked. */
export interface Told {
  answers: Record<string, Record<string, readonly string[]>>;
  asked: string[];
}

const SHOP = ["10.96.0.10", "fd00:96::10"];
const DB = ["10.244.0.5", "10.244.0.6", "10.244.0.8", "fd00:244::5"];

/** As programs of namespace web write them (world.yaml), with all addresses that they have. */
export const NAMES: Readonly<Record<string, readonly string[]>> = {
  shop: SHOP,
  "shop.web": SHOP,
  "shop.web.svc": SHOP,
  "shop.web.svc.cluster.local": SHOP,
  "shop.web.svc.cluster.local.": SHOP,
  "db.data": DB,
  "www.example.org": ["2001:db8::3", "203.0.113.3"],
  nothing: [],
  "shop.elsewhere": [],
};

const PYTHON = "import socket, sys\nfor a in socket.getaddrinfo(sys.argv[1], None): print(a[4][0])";
const NODE =
  "require('node:dns').lookup(process.argv[1], { all: true }, (error, all) => " +
  "error ? process.exit(1) : console.log(all.map(({ address }) => address).join('\\n')))";

/** Those that this machine has, or can build into a directory; and the names of the others. */
export async function findPrograms(directory: string) {
  const here = (name: string) => join(import.meta.dirname, name);
  const into = (name: string) => join(directory, name);
  const lookup = join(import.meta.dirname, "../../../e2e/capture-lookup.c");
  const programs: (Program & { readonly build?: readonly string[]; readonly env?: Record<string, string> })[] = [
    { name: "glibc", command: "getent", words: ["ahosts"] },
    { name: "musl", command: into("musl"), words: [], build: ["musl-gcc", "-static", "-o", into("musl"), lookup] },
    {
      name: "c-ares",
      command: into("c-ares"),
      words: [],
      build: ["gcc", "-o", into("c-ares"), here("c-ares.c"), "-lcares"],
    },
    {
      name: "Go",
      command: into("go"),
      words: [],
      build: ["go", "build", "-o", into("go"), here("lookup.go")],
      env: { CGO_ENABLED: "0" },
    },
    { name: "Python", command: "python3", words: ["-c", PYTHON] },
    { name: "Node", command: process.execPath, words: ["-e", NODE] },
  ];
  const found: Program[] = [];
  const missing: string[] = [];
  for (const { name, command, words, build: [compiler, ...rest] = [], env } of programs) {
    try {
      if (compiler !== undefined) await run(compiler, rest, { env: { ...process.env, ...env } });
      else await run("which", [command]);
      found.push({ name, command, words });
    } catch (error) {
      missing.push(`${name} (${(error as Error).message.split("\n")[0]})`);
    }
  }
  return { found, missing };
}
