/**
 * dnsdist, from the distribution: a proxy with a packet cache that forwards over DNS over TLS.
 */
import { writeFile } from "node:fs/promises";
import { type Peer, SERVER_CORE, startPinned } from "../server.ts";
import { installed } from "./installed.ts";

export const dnsdist: Peer = {
  name: "dnsdist",
  missing: () => installed("dnsdist", "apt-get install dnsdist"),
  async start({ directory, ports, upstreamPort, certificate, key }) {
    const file = `${directory}/dnsdist.lua`;
    await writeFile(
      file,
      `setSecurityPollSuffix("")
setLocal("127.0.0.1:${ports.dns}", {reusePort=true})
addTLSLocal("127.0.0.1:${ports.dot}", "${certificate}", "${key}", {provider="openssl"})
addDOHLocal("127.0.0.1:${ports.doh}", "${certificate}", "${key}", "/dns-query")
setMaxTCPClientThreads(1)
setMaxTCPQueuedConnections(10000)
setMaxUDPOutstanding(65535)
newServer({address="127.0.0.1:${upstreamPort}", tls="openssl", caStore="${certificate}", subjectName="localhost",
  validateCertificates=true, maxInFlight=1000, checkName="n0.hit.bench."}):setUp()
getPool(""):setCache(newPacketCache(1000000, {maxTTL=86400, numberOfShards=1}))
`,
    );
    return startPinned(SERVER_CORE, ["dnsdist", "--supervised", "--disable-syslog", "-C", file], ports);
  },
};
