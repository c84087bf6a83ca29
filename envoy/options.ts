/**
 * What can be chosen about an Envoy of ours, and the defaults with their reasons.
 */

/** Where something listens that only this machine reaches, or a TCP address. */
export type Endpoint = { path: string } | { address: string; port: number };

export interface BootstrapOptions {
  /** node.id: one Envoy process at a time has it. */
  node: string;
  /** Workers; the same number goes to `--concurrency`. */
  concurrency: number;
  /** The filter's wasm module. */
  wasm: string;
  /** Addresses of all public listeners. */
  addresses: string[];
  /** Ports of the listeners; a listener without one is not opened. `doh` is TCP and, with `doh3`, UDP too. */
  ports: { udp?: number; tcp?: number; dot?: number; doh?: number };
  /** HTTP/3 on the UDP port of `doh`. */
  doh3: boolean;
  /** Needed by DoT and DoH. */
  tls?: ServerTls;
  policyService: PolicyService;
  /** Shared secret, sent with every call to the policy service and in Sync's Hello. */
  token?: string;
  /** Every client is this tenant: a sidecar's fixed identity. */
  tenant?: string;
  /** Limits of the filter by their names in filter/flow/settings.ts, where they differ from its defaults. */
  settings: Record<string, string | number>;
  limits: Limits;
  admin: Endpoint;
  /** A TCP listener that believes the PROXY protocol, of these balancers only. */
  proxied?: { port: number; balancers: string[] };
  /**
   * A listener for the workload's own connections, which the kernel redirects to this port. `serverFirst`: the policy
   * service is asked of one when it comes, and not when its client has sent something.
   */
  egress?: { port: number; serverFirst?: boolean };
  /**
   * A listener for connections to virtual addresses, which the kernel redirects to this port. Names of their endpoints are
   * asked for at `resolver.port` of the loopback, where everybody is `resolver.tenant`: a tenant without names of the mesh.
   * `check`: the policy service is asked of each connection.
   */
  virtual?: { port: number; resolver: { port: number; tenant: string }; check?: boolean };
}

export interface ServerTls {
  certificate: string;
  key: string;
  /** CA of client certificates; without it none is asked for. */
  clientCa?: string;
  /** Instead of `clientCa`: a CA for each trust domain, where there is more than one. */
  trustDomains?: { name: string; ca: string }[];
}

export type PolicyService = Endpoint & {
  /** Further services of the same policy, where one name does not stand for all of them. */
  others?: Endpoint[];
  /** TLS to a policy service on a TCP port, with a client certificate where it asks for one. */
  tls?: { ca: string; serverName: string; certificate?: string; key?: string };
};

export interface Limits {
  /** TCP connections of one listener. */
  listenerConnections: number;
  /** Downstream connections of the process. */
  connections: number;
  /** UDP sessions of the process: a session is a stream of the tunnel. */
  udpSessions: number;
  /** Bytes of heap at which the process sheds load. */
  heapBytes: number;
  /** Decisions and exchanges in flight; above what the filter allows itself (512 a worker). */
  callouts: number;
}

export const defaultLimits: Limits = {
  listenerConnections: 10_000,
  connections: 50_000,
  // A flood of 20,000 new sources a second, each gone after about a second, needs less than half.
  udpSessions: 50_000,
  heapBytes: 2 * 2 ** 30,
  callouts: 16_384,
};

/** Names of the listeners, as statistics and the plugin's configuration have them. */
export const listenerNames = {
  udp: "udp",
  tcp: "tcp",
  dot: "dot",
  doh: "doh",
  doh3: "doh3",
  proxied: "tcp_proxied",
  egress: "egress",
  virtual: "virtual",
  resolver: "resolver",
} as const;

/** Octets of a connection that Envoy buffers: the largest DNS message, twice, rounded up. */
export const bufferBytes = 131_072;

/** The arguments that go with a bootstrap. */
export function envoyArguments(file: string, options: Pick<BootstrapOptions, "concurrency">): string[] {
  // Hot restart would need a shared memory region by base-id, one for each Envoy of the machine.
  const process = ["-c", file, "--concurrency", String(options.concurrency), "--disable-hot-restart"];
  // Connections are asked to end when a drain begins, not spread over its time; the supervisor waits for 30 s.
  return [...process, "--drain-time-s", "30", "--drain-strategy", "immediate"];
}
