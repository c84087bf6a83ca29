/**
 * The deployments whose bootstraps are kept in envoy/generated, to read and to start from.
 */
import { type BootstrapOptions, defaultLimits } from "./options.ts";

/** `npm start`: everything on loopback, tenants told by their address in 127.0.0.0/8. */
export const demo: BootstrapOptions = {
  node: "demo",
  concurrency: 2,
  wasm: "build/filter.wasm",
  addresses: ["127.0.0.1", "::1"],
  ports: { udp: 1053, tcp: 1053, dot: 1853, doh: 1443 },
  doh3: true,
  tls: { certificate: ".run/server.pem", key: ".run/server.key", clientCa: ".run/ca.pem" },
  policyService: { path: ".run/policy.sock" },
  settings: {},
  limits: defaultLimits,
  admin: { address: "127.0.0.1", port: 9901 },
};

/** docker-compose.yaml: tenants told by their address on the compose network. */
export const compose: BootstrapOptions = {
  ...demo,
  node: "compose",
  wasm: "/etc/envoy/filter.wasm",
  addresses: ["0.0.0.0"],
  tls: {
    certificate: "/run/certificates/server.pem",
    key: "/run/certificates/server.key",
    clientCa: "/run/certificates/ca.pem",
  },
  policyService: { path: "/run/policy/service.sock" },
};

/**
 * Beside one workload: one worker, a fixed tenant, small caches, plain DNS on loopback only. The workload shares
 * the loopback, so that neither the admin interface nor the policy service may have a port on it.
 */
export const sidecar: BootstrapOptions = {
  node: "sidecar",
  concurrency: 1,
  wasm: "/etc/envoy/filter.wasm",
  addresses: ["127.0.0.1"],
  ports: { udp: 1053, tcp: 1053 },
  doh3: false,
  policyService: { path: "/run/dns-policy/service.sock" },
  tenant: "frontend",
  settings: { answer_cache_bytes: 4 * 2 ** 20, verdict_cache_bytes: 2 ** 20 },
  limits: { listenerConnections: 1000, connections: 2000, udpSessions: 4096, heapBytes: 128 * 2 ** 20, callouts: 1024 },
  admin: { path: "/run/envoy/admin.sock" },
};

/** The same, and the workload's connections go to addresses that its names were answered with, and to no others. */
export const egress: BootstrapOptions = { ...sidecar, node: "egress", egress: { port: 15_001 } };

/** The same sidecar, and the workload's connections to virtual addresses lead to the endpoints of their ServiceEntries. */
export const virtual: BootstrapOptions = {
  ...sidecar,
  node: "virtual",
  virtual: { port: 15_002, resolver: { port: 15_054, tenant: "envoy-resolver" } },
};

/** envoy/kubernetes/node-local: for every pod of a node, each known by its address. */
export const nodeLocal: BootstrapOptions = {
  node: "POD_NAME",
  concurrency: 2,
  wasm: "/run/filter/filter.wasm",
  addresses: ["0.0.0.0"],
  ports: { udp: 1053, tcp: 1053 },
  doh3: false,
  policyService: { path: "/run/dns-policy/service.sock" },
  settings: {},
  limits: defaultLimits,
  admin: { address: "127.0.0.1", port: 9901 },
};

/** envoy/kubernetes/sidecar: as `sidecar`, with a policy service elsewhere. */
export const kubernetesSidecar: BootstrapOptions = {
  ...sidecar,
  node: "POD_NAME",
  wasm: "/run/filter/filter.wasm",
  ports: { udp: 53, tcp: 53 },
  policyService: {
    address: "10.96.0.54",
    port: 8443,
    tls: {
      ca: "/etc/tls/ca.crt",
      serverName: "dns-policy",
      certificate: "/etc/tls/tls.crt",
      key: "/etc/tls/tls.key",
    },
  },
  tenant: "TENANT",
};

/** By the file below envoy/ that each is kept in. */
export const profiles = {
  "generated/demo.yaml": demo,
  "generated/compose.yaml": compose,
  "generated/sidecar.yaml": sidecar,
  "generated/egress.yaml": egress,
  "generated/virtual.yaml": virtual,
  "kubernetes/node-local/envoy.yaml": nodeLocal,
  "kubernetes/sidecar/envoy.yaml": kubernetesSidecar,
};
