/**
 * What is measured, and what must come of it.
 */
import { dnsload, dnsperf, HIT_NAMES, h2load, type Load } from "./loaders.ts";
import type { RunningServer } from "./server.ts";

/** A bound on our figure, in terms of a peer's or of the best of several. */
export interface Target {
  figure: "cpu_us" | "p99_us";
  times: number;
  peers: string[];
}

export interface Scenario {
  name: string;
  what: string;
  run(server: RunningServer, seconds: number): Promise<Load>;
  targets: Target[];
  /** Whether latencies count, and the loader is not to fill its core. */
  isPaced?: boolean;
}

const most = (times: number, ...peers: string[]): Target => ({ figure: "cpu_us", times, peers });
const mostLate = (times: number, ...peers: string[]): Target => ({ figure: "p99_us", times, peers });

/** Queries a second of the paced scenarios. */
const PACE = 2000;

export const scenarios: Scenario[] = [
  {
    name: "udp-hit",
    what: "UDP, cached, sockets reused",
    run: (server, seconds) => dnsperf(server, { mode: "udp", seconds, clients: 20, outstanding: 200 }),
    targets: [most(2, "dnsdist"), most(0.5, "coredns")],
  },
  {
    name: "udp-new-port",
    what: "UDP, cached, a new source port for every query",
    run: (server, seconds) => dnsload(server, { seconds, slots: 64, rate: 0, sockets: "new", names: HIT_NAMES }),
    targets: [most(1.4, "coredns")],
  },
  {
    name: "tcp-hit",
    what: "TCP, cached, pipelined",
    run: (server, seconds) => dnsperf(server, { mode: "tcp", seconds, clients: 4, outstanding: 200 }),
    targets: [most(0.6, "dnsdist", "unbound", "coredns")],
  },
  {
    name: "dot-hit",
    what: "DNS over TLS, cached, pipelined",
    run: (server, seconds) => dnsperf(server, { mode: "dot", seconds, clients: 4, outstanding: 200 }),
    targets: [most(0.6, "dnsdist", "unbound", "coredns")],
  },
  {
    name: "dot-miss",
    what: "UDP, every name new, forwarded over DNS over TLS",
    run: (server, seconds) => dnsload(server, { seconds, slots: 100, rate: 0, sockets: "reuse", names: 0 }),
    targets: [most(1.2, "dnsdist")],
  },
  {
    name: "doh-hit",
    what: "DNS over HTTPS, cached",
    run: (server, seconds) => h2load(server, seconds),
    targets: [most(1, "unbound")],
  },
  {
    name: "paced-hit",
    what: `UDP, cached, ${PACE} queries/s`,
    isPaced: true,
    run: (server, seconds) => dnsload(server, { seconds, slots: 500, rate: PACE, sockets: "reuse", names: HIT_NAMES }),
    targets: [most(1, "coredns"), mostLate(2, "dnsdist")],
  },
  {
    name: "paced-miss",
    what: `UDP, every name new, ${PACE} queries/s`,
    isPaced: true,
    run: (server, seconds) => dnsload(server, { seconds, slots: 500, rate: PACE, sockets: "reuse", names: 0 }),
    targets: [mostLate(2, "unbound")],
  },
];
