/**
 * The upstream of every server that is measured: unbound with local data, by DNS over TLS, on the loader's core. It
 * has an answer for every name below `bench.`, with a TTL that outlives the run.
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { freePort, LOADER_CORE, type RunningServer, startPinned } from "./server.ts";

const run = promisify(execFile);

export interface Certificate {
  certificate: string;
  key: string;
}

/** A certificate for localhost that is its own authority. */
export async function makeCertificate(directory: string): Promise<Certificate> {
  const [certificate, key] = [`${directory}/certificate.pem`, `${directory}/key.pem`];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await run("openssl", ["req", "-x509", ...curve, ...subject, "-keyout", key, "-out", certificate]);
  return { certificate, key };
}

export async function startBackend(directory: string, { certificate, key }: Certificate): Promise<RunningServer> {
  const ports = { dns: await freePort(), dot: await freePort(), doh: 0 };
  const file = `${directory}/backend.conf`;
  await writeFile(
    file,
    `server:
  interface: 127.0.0.1@${ports.dns}
  interface: 127.0.0.1@${ports.dot}
  tls-port: ${ports.dot}
  tls-service-key: "${key}"
  tls-service-pem: "${certificate}"
  local-zone: "bench." redirect
  local-data: "bench. 3600 IN A 192.0.2.1"
  incoming-num-tcp: 200
  tcp-idle-timeout: 60000
${unboundProcess(directory)}`,
  );
  return startPinned(LOADER_CORE, ["unbound", "-d", "-p", "-c", file], ports);
}

/** The lines that let unbound run in the foreground, as it is, from a directory. */
export function unboundProcess(directory: string): string {
  return `  num-threads: 1
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  chroot: ""
  username: ""
  directory: "${directory}"
  pidfile: ""
  use-syslog: no
  verbosity: 0
remote-control:
  control-enable: no
`;
}
