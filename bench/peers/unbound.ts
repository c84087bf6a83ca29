/**
 * unbound, from the distribution: a resolver with a cache that forwards over DNS over TLS.
 */
import { writeFile } from "node:fs/promises";
import { unboundProcess } from "../backend.ts";
import { type Peer, SERVER_CORE, startPinned } from "../server.ts";
import { installed } from "./installed.ts";

export const unbound: Peer = {
  name: "unbound",
  missing: () => installed("unbound", "apt-get install unbound"),
  async start({ directory, ports, upstreamPort, certificate, key }) {
    const file = `${directory}/unbound.conf`;
    await writeFile(
      file,
      `server:
  interface: 127.0.0.1@${ports.dns}
  interface: 127.0.0.1@${ports.dot}
  interface: 127.0.0.1@${ports.doh}
  tls-port: ${ports.dot}
  https-port: ${ports.doh}
  tls-service-key: "${key}"
  tls-service-pem: "${certificate}"
  tls-cert-bundle: "${certificate}"
  msg-cache-size: 64m
  rrset-cache-size: 128m
  incoming-num-tcp: 200
  outgoing-num-tcp: 100
  outgoing-range: 4096
  num-queries-per-thread: 4096
  do-not-query-localhost: no
  so-reuseport: yes
${unboundProcess(directory)}forward-zone:
  name: "."
  forward-tls-upstream: yes
  forward-addr: 127.0.0.1@${upstreamPort}#localhost
`,
    );
    return startPinned(SERVER_CORE, ["unbound", "-d", "-p", "-c", file], ports);
  },
};
