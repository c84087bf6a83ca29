/**
 * DNS over HTTPS (RFC 8484) by HTTP/1.1: one request after the other on one connection.
 */
import type { OutgoingHttpHeaders } from "node:http2";
import { Agent, request } from "node:https";
import type { ConnectionOptions } from "node:tls";
import { within } from "./deadline.ts";
import type { DohAsker, DohResponse } from "./doh.ts";
import type { Address } from "./udp.ts";

export class Doh1Client implements DohAsker {
  readonly #agent: Agent;
  readonly #server: Address;

  constructor(server: Address, options: { from: string; tls: ConnectionOptions }) {
    this.#server = server;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress: options.from, ...options.tls });
  }

  /** Method and path as HTTP/2 has them, so that one test speaks every version. */
  request(headers: OutgoingHttpHeaders, body?: Buffer): Promise<DohResponse> {
    const { ":method": method, ":path": path, ...others } = headers;
    const target = { ...this.#server, method: String(method), path: String(path), agent: this.#agent };
    const response = new Promise<DohResponse>((resolve, reject) => {
      const outgoing = request({ ...target, headers: others });
      outgoing.on("error", reject);
      outgoing.on("response", (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () =>
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) }),
        );
      });
      outgoing.end(body);
    });
    return within(5000, "HTTP/1.1 response", response);
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }
}
