/**
 * What the page is looked at on: the demo's programs, with a policy of the tests' own, asked real questions; an upstream that
 * is compared with another, and an Envoy for connections.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Demo } from "../../demo/demo.ts";
import { defaultPorts, type Ports } from "../../demo/ports.ts";
import { Upstream } from "../../demo/upstream.ts";
import { parseZone } from "../../demo/zone.ts";
import { UdpClient } from "../e2e/clients/udp.ts";
import { type Answer, encodeQuestion } from "../e2e/dns.ts";
import { freePort } from "../e2e/ports.ts";
import { CLIENTS, envoyBinary } from "../e2e/stack.ts";
import { EgressEnvoy } from "./egress.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export type ClientName = keyof typeof CLIENTS;

/** What policy.yaml has in place of ports that are chosen here. */
const NEXT_PORT = /\b8054\b/;
const SERVER_PORT = /\b8080"/;

/** Of the upstream that corp is compared with: one machine has moved, and one has come back. */
const NEXT_ZONE = `$ORIGIN corp.example.
$TTL 300
@ SOA ns hostmaster ( 2026112102 7200 900 1209600 60 )
@ NS ns
ns A 10.20.0.53
git A 10.20.0.10
wiki A 10.30.0.11
gone A 10.30.0.12
`;

export class Deployment {
  readonly address: string;
  readonly port: number;
  readonly #demo: Demo;
  readonly #next: Upstream;
  readonly #egress: EgressEnvoy;
  readonly #clients = new Map<string, UdpClient>();

  static async start(): Promise<Deployment> {
    const ports: Ports = { ...defaultPorts };
    for (const flag of Object.keys(ports) as (keyof Ports)[]) ports[flag] = await freePort();
    const next = new Upstream({ zone: parseZone(NEXT_ZONE), ports: { tcp: 0 } });
    await next.start();
    const serverPort = await freePort();
    const written = readFileSync(new URL("policy.yaml", import.meta.url), "utf8")
      .replace(NEXT_PORT, String(next.ports.tcp))
      .replace(SERVER_PORT, `${serverPort}"`);
    const folder = mkdtempSync(join(tmpdir(), "page-"));
    const policy = join(folder, "policy.yaml");
    writeFileSync(policy, written);
    const demo = await Demo.create({
      envoy: await envoyBinary(),
      root,
      ports,
      policy,
      concurrency: 1,
      say: () => {},
    });
    try {
      await demo.start();
      return new Deployment(demo, next, await EgressEnvoy.start(demo.folder, serverPort), ports);
    } catch (error) {
      await demo.stop(0);
      await next.stop();
      throw error;
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  private constructor(demo: Demo, next: Upstream, egress: EgressEnvoy, { api, udp }: Ports) {
    this.#demo = demo;
    this.#next = next;
    this.#egress = egress;
    this.address = `http://127.0.0.1:${api}`;
    this.port = udp;
  }

  /** By a client of a tenant; with another last octet, another client of it. */
  async ask(client: ClientName, name: string, type = "A", host = 1): Promise<Answer> {
    return (await this.#client(client, host)).ask(encodeQuestion(name, { type, edns: 1232 }));
  }

  /** A message as it is. */
  async askOctets(client: ClientName, message: Buffer): Promise<Answer> {
    return (await this.#client(client, 1)).ask(message);
  }

  /** Whether the server at this address hears a client of a tenant. */
  connect(client: ClientName, to: string): Promise<boolean> {
    return this.#egress.connect(CLIENTS[client], to);
  }

  async #client(client: ClientName, host: number): Promise<UdpClient> {
    const from = CLIENTS[client].replace(/\d+$/, String(host));
    const known = this.#clients.get(from) ?? (await UdpClient.open({ host: "127.0.0.1", port: this.port }, from));
    this.#clients.set(from, known);
    return known;
  }

  async put(yaml: string, reason = ""): Promise<void> {
    const response = await fetch(`${this.address}/v1/resources?reason=${encodeURIComponent(reason)}`, {
      method: "PUT",
      headers: { "content-type": "application/yaml" },
      body: yaml,
    });
    if (!response.ok) throw new Error(`the policy service answered ${response.status}: ${await response.text()}`);
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.values()) client.close();
    await this.#egress.stop();
    await this.#demo.stop(0);
    await this.#next.stop();
  }
}
