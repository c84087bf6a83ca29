/**
 * A stand-in for Open Policy Agent that takes nothing but the question of its data API as it should be, and does what a real one
 * seldom does: fails, hangs, talks nonsense.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface OpaInput {
  readonly tenant: string;
  readonly name: string;
  readonly type: string;
  readonly transport: string;
  readonly client?: string;
}

const FIELDS = ["client", "name", "tenant", "transport", "type"];

export class OpaStandIn {
  /** What it says of a question: a `result`; undefined for no such document. */
  rule: (input: OpaInput) => unknown = () => false;
  /** Instead of all that: a body with its status, or no answer at all. */
  trouble: { readonly status: number; readonly body: string } | "hangs" | undefined;
  readonly asked: OpaInput[] = [];
  /** What was no question. */
  readonly complaints: string[] = [];
  readonly #server: Server;

  static async start(): Promise<OpaStandIn> {
    const standIn = new OpaStandIn();
    await new Promise<void>((resolve) => standIn.#server.listen(0, "127.0.0.1", resolve));
    return standIn;
  }

  private constructor() {
    this.#server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        const input = this.#read(request, body);
        if (input === undefined) {
          response.writeHead(400).end();
          return;
        }
        this.asked.push(input);
        if (this.trouble === "hangs") return;
        const { status, body: text } = this.trouble ?? {
          status: 200,
          body: JSON.stringify({ decision_id: "1", result: this.rule(input) }),
        };
        response.writeHead(status, { "content-type": "application/json" }).end(text);
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/data/dns/decision`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #read({ method, url, headers }: IncomingMessage, body: string): OpaInput | undefined {
    const complain = (text: string): undefined => {
      this.complaints.push(text);
    };
    if (method !== "POST" || url !== "/v1/data/dns/decision") return complain(`${method} ${url}`);
    if (headers["content-type"] !== "application/json") return complain(String(headers["content-type"]));
    const { input, ...more } = JSON.parse(body) as { input: OpaInput };
    const unknown = Object.keys(input).filter((field) => !FIELDS.includes(field));
    if (Object.keys(more).length > 0 || unknown.length > 0) return complain(body);
    return input;
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
