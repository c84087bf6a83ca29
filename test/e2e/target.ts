/**
 * What the end-to-end tests ask: an Envoy that the harness starts, or one that is there already.
 *
 * `E2E_TARGET=file.json` aims the black-box tests at a running deployment (docker-compose, a cluster); the file has
 * the fields of Target, with `caFile` in place of `ca`.
 */
import { readFileSync } from "node:fs";
import { DohClient } from "./clients/doh.ts";
import { Doh1Client } from "./clients/doh1.ts";
import { Doh3Client } from "./clients/doh3.ts";
import { StreamClient } from "./clients/stream.ts";
import { type Address, askUdp } from "./clients/udp.ts";
import type { Answer } from "./dns.ts";

export interface Target {
  host: string;
  ports: { udp: number; tcp: number; dot: number; doh: number };
  /** In the certificate of DoT and DoH. */
  serverName: string;
  ca: string;
  caFile: string;
  /** Local addresses to ask from, one for each tenant of the demo's policy, and one of nobody. */
  clients: { frontend: string; backend: string; platform: string; nobody: string };
  /** Envoy's admin interface and the policy service's metrics, as http URLs. */
  admin: string;
  metrics: string;
}

export type Client = keyof Target["clients"];

/** The running deployment that the environment names. */
export function targetFromEnvironment(): Target | undefined {
  const file = process.env.E2E_TARGET;
  if (!file) return undefined;
  const read = JSON.parse(readFileSync(file, "utf8")) as Omit<Target, "ca">;
  return { ...read, ca: readFileSync(read.caFile, "utf8") };
}

/** Its Envoy's counters and gauges whose names match. */
export async function envoyStats({ admin }: Target, pattern: RegExp): Promise<Map<string, number>> {
  const response = await fetch(`${admin}/stats`);
  const found = new Map<string, number>();
  for (const line of (await response.text()).split("\n")) {
    const [name = "", value] = line.split(": ");
    if (pattern.test(name) && value !== undefined && Number.isFinite(Number(value))) found.set(name, Number(value));
  }
  return found;
}

/** Asks a target in one transport, from one client's address. */
export class Asker {
  readonly #target: Target;

  constructor(target: Target) {
    this.#target = target;
  }

  at(port: keyof Target["ports"]): Address {
    return { host: this.#target.host, port: this.#target.ports[port] };
  }

  from(client: Client): string {
    return this.#target.clients[client];
  }

  udp(question: Buffer, client: Client = "frontend", timeoutMs = 5000): Promise<Answer> {
    return askUdp(this.at("udp"), question, { from: this.from(client), timeoutMs });
  }

  tcp(client: Client = "frontend", allowHalfOpen = false): Promise<StreamClient> {
    return StreamClient.open(this.at("tcp"), { from: this.from(client), allowHalfOpen });
  }

  dot(client: Client = "frontend", identity?: { cert: string; key: string }): Promise<StreamClient> {
    return StreamClient.open(this.at("dot"), { from: this.from(client), tls: { ...this.#tls(), ...identity } });
  }

  doh(client: Client = "frontend", identity?: { cert: string; key: string }): Promise<DohClient> {
    return DohClient.open(this.at("doh"), { from: this.from(client), tls: { ...this.#tls(), ...identity } });
  }

  async doh1(client: Client = "frontend"): Promise<Doh1Client> {
    return new Doh1Client(this.at("doh"), { from: this.from(client), tls: this.#tls() });
  }

  /** A connection to the DoH listener that speaks the octets it is told to. */
  http2Octets(client: Client = "frontend"): Promise<StreamClient> {
    const tls = { ...this.#tls(), ALPNProtocols: ["h2"] };
    return StreamClient.open(this.at("doh"), { from: this.from(client), tls });
  }

  doh3(client: Client = "frontend", identity?: { certFile: string; keyFile: string }): Promise<Doh3Client> {
    const certificate = identity ? { certificate: { cert: identity.certFile, key: identity.keyFile } } : {};
    const { serverName, caFile } = this.#target;
    return Doh3Client.open(this.at("doh"), { serverName, ca: caFile, from: this.from(client), ...certificate });
  }

  #tls(): { ca: string; servername: string } {
    return { ca: this.#target.ca, servername: this.#target.serverName };
  }
}
