/**
 * What the page is looked at on: the demo's programs, with a policy of the tests' own, asked real questions.
 */
import { fileURLToPath } from "node:url";
import { Demo } from "../../demo/demo.ts";
import { defaultPorts, type Ports } from "../../demo/ports.ts";
import { UdpClient } from "../e2e/clients/udp.ts";
import { type Answer, encodeQuestion } from "../e2e/dns.ts";
import { freePort } from "../e2e/ports.ts";
import { CLIENTS, envoyBinary } from "../e2e/stack.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export type ClientName = keyof typeof CLIENTS;

export class Deployment {
  readonly address: string;
  readonly port: number;
  readonly #demo: Demo;
  readonly #clients = new Map<string, UdpClient>();

  static async start(): Promise<Deployment> {
    const ports: Ports = { ...defaultPorts };
    for (const flag of Object.keys(ports) as (keyof Ports)[]) ports[flag] = await freePort();
    const demo = await Demo.create({
      envoy: await envoyBinary(),
      root,
      ports,
      policy: fileURLToPath(new URL("policy.yaml", import.meta.url)),
      concurrency: 1,
      say: () => {},
    });
    try {
      await demo.start();
    } catch (error) {
      await demo.stop(0);
      throw error;
    }
    return new Deployment(demo, ports);
  }

  private constructor(demo: Demo, { api, udp }: Ports) {
    this.#demo = demo;
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
    await this.#demo.stop(0);
  }
}
