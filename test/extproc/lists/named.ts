/**
 * A real BIND that serves one zone, by transfers that are signed, and tells of changes.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "../../e2e/ports.ts";

const run = promisify(execFile);

export const ZONE = "rpz.example";
export const KEY_NAME = "lists.example";

export interface Named {
  readonly port: number;
  readonly secretFile: string;
  /** Lines of nsupdate: `add ads.rpz.example. 60 CNAME .` */
  update(...lines: readonly string[]): Promise<void>;
  /** Transfers that it has made since it started. */
  transfers(): { readonly whole: number; readonly changes: number };
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface NamedOptions {
  readonly directory: string;
  /** By default a response policy zone. */
  readonly zone?: string;
  /** Seconds, of its SOA. */
  readonly expire?: number;
  /** Records of the zone, below its SOA and NS. */
  readonly records: string;
  /** Where a NOTIFY goes. */
  readonly notifyPort?: number;
  readonly provideIxfr?: boolean;
}

export async function startNamed(options: NamedOptions): Promise<Named> {
  const { directory, zone = ZONE, expire = 86_400, records, notifyPort, provideIxfr = true } = options;
  await mkdir(directory, { recursive: true });
  const port = await freePort();
  const secret = Buffer.from("a secret of this test alone, of 40 octets").toString("base64");
  const secretFile = join(directory, "secret");
  await writeFile(secretFile, `${secret}\n`);
  await writeFile(
    join(directory, "zone"),
    `$TTL 60\n@ SOA localhost. hostmaster.localhost. 1 3600 60 ${expire} 60\n@ NS localhost.\n${records}`,
  );
  const key = `key "${KEY_NAME}" { algorithm hmac-sha256; secret "${secret}"; };`;
  const also = notifyPort === undefined ? "" : `also-notify { 127.0.0.1 port ${notifyPort}; };`;
  await writeFile(
    join(directory, "named.conf"),
    `${key}
options {
  directory "${directory}"; pid-file none; session-keyfile none; managed-keys-directory "${directory}";
  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify explicit; notify-delay 0; provide-ixfr ${provideIxfr ? "yes" : "no"};
  max-journal-size 64m; masterfile-format text;
};
controls { };
zone "${zone}" {
  type primary; file "zone"; allow-transfer { key "${KEY_NAME}"; }; allow-update { key "${KEY_NAME}"; }; ${also}
};
`,
  );
  let child: ChildProcess | undefined;
  let said = "";
  const start = async (): Promise<void> => {
    child = spawn("/usr/sbin/named", ["-f", "-g", "-c", join(directory, "named.conf")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    for (let tries = 0; ; tries++) {
      const answered = await run("dig", [
        "@127.0.0.1",
        "-p",
        String(port),
        zone,
        "SOA",
        "+short",
        "+time=1",
        "+tries=1",
      ]).catch(() => ({ stdout: "" }));
      if (answered.stdout.includes("hostmaster")) return;
      if (tries > 300) throw new Error("named does not answer");
      await pause(100);
    }
  };
  const stop = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  };
  await start();
  return {
    port,
    secretFile,
    start,
    stop,
    transfers: () => ({
      whole: said.split(": AXFR started").length - 1,
      changes: said.split(": IXFR started").length - 1,
    }),
    update: async (...lines) => {
      const text = [
        `server 127.0.0.1 ${port}`,
        `zone ${zone}`,
        ...lines.map((line) => `update ${line}`),
        "send",
        "",
      ].join("\n");
      const done = run("nsupdate", ["-y", `hmac-sha256:${KEY_NAME}:${secret}`]);
      done.child.stdin?.end(text);
      await done;
    },
  };
}
