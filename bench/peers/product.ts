/**
 * Our Envoy with one worker, or with two that share the cores with the loader; the policy service beside it runs on the
 * loader's core, and is not what is measured.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { bootstrapYaml } from "../../envoy/bootstrap.ts";
import { defaultLimits, envoyArguments } from "../../envoy/options.ts";
import { PolicyService } from "../../test/e2e/service.ts";
import { envoyBinary } from "../../test/e2e/stack.ts";
import { filterWasm } from "../../test/host/wasm.ts";
import { joinDocuments } from "../../test/stories/world.ts";
import { freePort, LOADER_CORE, type Peer, pin, SERVER_CORE, type Settings, startPinned } from "../server.ts";

const tenant = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: everybody}
spec: {match: [{cidrs: ["127.0.0.0/8"]}], upstream: public}`;

/** A rule that no query of the benchmark meets, so that there is policy to look at. */
const rule = `apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: {name: no-com}
spec:
  priority: 100
  subject: {tenants: [everybody]}
  rules: [{name: deny-com, match: {names: ["*.com"]}, action: Deny}]`;

export const product = productOf("envoy-dns-policy", 1, `${SERVER_CORE}`);
export const twoWorkers = productOf("two workers", 2, `${SERVER_CORE},${LOADER_CORE}`);

function productOf(name: string, workers: number, cores: string): Peer {
  return {
    name,
    missing: async () => (existsSync(filterWasm) ? undefined : "the filter is not built: npm run build"),
    async start(settings) {
      const { directory, ports, certificate, key } = settings;
      const folder = `${directory}/product-${workers}`;
      await mkdir(folder);
      const service = await PolicyService.start(folder);
      if (workers === 1) await pin(LOADER_CORE, service.program.pid);
      const { status, body } = await service.put(joinDocuments(tenant, rule, upstream(settings)));
      if (status !== 200) throw new Error(`the policy service answered ${status}: ${body}`);
      const bootstrap = {
        node: "bench",
        concurrency: workers,
        wasm: filterWasm,
        addresses: ["127.0.0.1"],
        ports: { udp: ports.dns, tcp: ports.dns, dot: ports.dot, doh: ports.doh },
        doh3: false,
        tls: { certificate, key },
        policyService: { path: service.socket },
        // The load generator is one client with many sockets.
        settings: { udp_sessions_per_client: 50_000, streams_per_client: 1000 },
        limits: defaultLimits,
        admin: { address: "127.0.0.1", port: await freePort() },
      };
      const file = `${folder}/envoy.yaml`;
      await writeFile(file, bootstrapYaml(bootstrap));
      const command = [await envoyBinary(), ...envoyArguments(file, bootstrap), "--log-level", "error"];
      try {
        const envoy = await startPinned(cores, command, ports);
        return { ...envoy, stop: () => envoy.stop().then(() => service.stop()) };
      } catch (error) {
        await service.stop();
        throw error;
      }
    },
  };
}

function upstream({ upstreamPort, certificate }: Settings): string {
  const ca = readFileSync(certificate, "utf8").trimEnd().replace(/^/gm, "      ");
  return `apiVersion: dns.mesh/v1alpha1
kind: Upstream
metadata: {name: public}
spec:
  protocol: DoT
  servers: [{address: 127.0.0.1, port: ${upstreamPort}, serverName: localhost}]
  tls:
    ca: |
${ca}
`;
}
