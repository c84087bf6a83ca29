/**
 * CoreDNS as a Kubernetes cluster has it, where every query is counted: plugins prometheus, errors, loadbalance, cache, forward.
 */
import { writeFile } from "node:fs/promises";
import { type Peer, SERVER_CORE, startPinned } from "../server.ts";
import { goProgram } from "./go-program.ts";

const program = goProgram("coredns", "1.24");

export const coredns: Peer = {
  name: "coredns",
  missing: () => program.missing(),
  async start({ directory, ports, upstreamPort, certificate, key }) {
    const file = `${directory}/Corefile`;
    const plugins = (tls: boolean) => `{
  bind 127.0.0.1
${tls ? `  tls ${certificate} ${key}\n` : ""}  prometheus 127.0.0.1:0
  errors
  loadbalance
  cache 3600 {
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
    return startPinned(SERVER_CORE, [program.path, "-quiet", "-conf", file], ports);
  },
};
