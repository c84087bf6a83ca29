/**
 * DNS over HTTPS by HTTP/1.1, for whoever offers no h2: requests wait for each other on one connection.
 */
import type { OutgoingHttpHeaders } from "node:http2";
import { Agent, request } from "node:https";
import type { ConnectionOptions } from "node:tls";
import { within } from "./deadline.ts";
import type { DohAsker, DohResponse } from "./doh.ts";
import type { Address } from "./udp.ts";

const TIMEOUT_MS = 5000;

export class Doh1Client implements DohAsker {
  readonly #server: Address;
  readonly #agent: Agent;

  constructor(server: Address, { from, tls }: { from: string; tls: ConnectionOptions }) {
    this.#server = server;
    this.#agent = new Agent({ ...tls, localAddress: from, keepAlive: true, maxSockets: 1 });
  }

  /** Takes headers as of HTTP/2: `:method` and `:path`. */
  request({ ":method": method, ":path": path, ...headers }: OutgoingHttpHeaders, body?: Buffer): Promise<DohResponse> {
    const response = new Promise<DohResponse>((resolve, reject) => {
      const options = { ...this.#server, agent: this.#agent, method: String(method), path: String(path), headers };
      const sent = request(options, (answered) => {
        const chunks: Buffer[] = [];
        answered.on("data", (chunk: Buffer) => chunks.push(chunk));
        answered.on("error", reject);
        answered.on("end", () =>
          resolve({ status: answered.statusCode ?? 0, headers: answered.headers, body: Buffer.concat(chunks) }),
        );
      });
      sent.on("error", reject);
      sent.end(body);
    });
    return within(TIMEOUT_MS, "HTTP/1.1 response", response);
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }
}
