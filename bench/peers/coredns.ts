/**
 * CoreDNS with cache and forward plugins, built from the Go module proxy into `.cache/` at its first use.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Peer, SERVER_CORE, startPinned } from "../server.ts";
import { installed } from "./installed.ts";

const run = promisify(execFile);
const folder = fileURLToPath(new URL("../../.cache/coredns/", import.meta.url));
const program = `${folder}coredns`;
const source = fileURLToPath(new URL("../coredns/", import.meta.url));

export const coredns: Peer = {
  name: "coredns",
  async missing() {
    if (existsSync(program)) return undefined;
    const go = await installed("go", "install Go 1.24 or newer");
    if (go) return go;
    await mkdir(folder, { recursive: true });
    const env = { ...process.env, CGO_ENABLED: "0" };
    await run("go", ["build", "-trimpath", "-ldflags=-s -w", "-o", program, "."], { cwd: source, env });
    return undefined;
  },
  async start({ directory, ports, upstreamPort, certificate, key }) {
    const file = `${directory}/Corefile`;
    const plugins = (tls: boolean) => `{
  bind 127.0.0.1
${tls ? `  tls ${certificate} ${key}\n` : ""}  cache 3600 {
    success 1000000
  }
  forward . tls://127.0.0.1:${upstreamPort} {
    tls ${certificate}
    tls_servername localhost
  }
}
`;
    await writeFile(
      file,
      `.:${ports.dns} ${plugins(false)}tls://.:${ports.dot} ${plugins(true)}https://.:${ports.doh} ${plugins(true)}`,
    );
    return startPinned(SERVER_CORE, [program, "-quiet", "-conf", file], ports);
  },
};
