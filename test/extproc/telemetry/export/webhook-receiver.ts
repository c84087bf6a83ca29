/**
 * A receiver of webhooks as the specification wants one: it takes only what is signed by the secret and is no older than five
 * minutes, and can be told to refuse.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const TOLERANCE_SECONDS = 300;

export class WebhookReceiver {
  /** Of messages that were taken, in order. */
  readonly received: Received[] = [];
  /** Of each request: its id, and the status that it got. */
  readonly requests: { readonly id: string; readonly status: number }[] = [];
  /** Statuses of the next requests, whatever is in them; 0 is no answer at all. */
  refusals: number[] = [];
  secret: string;
  readonly #server: Server;
  readonly #scheme: "http" | "https";

  static async start(secret: string, tls?: { readonly cert: string; readonly key: string }): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver(secret, tls);
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  private constructor(secret: string, tls: { readonly cert: string; readonly key: string } | undefined) {
    this.secret = secret;
    const listener: RequestListener = (request, response) => {
      void bodyOf(request).then((body) => {
        const status = this.refusals.shift() ?? this.#judge(request, body);
        this.requests.push({ id: String(request.headers["webhook-id"]), status });
        if (status !== 0) response.writeHead(status).end("as you like");
      });
    };
    this.#server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
    this.#scheme = tls === undefined ? "http" : "https";
  }

  get url(): string {
    return `${this.#scheme}://localhost:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #judge({ headers, method }: IncomingMessage, body: string): number {
    const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signatures } = headers;
    if (method !== "POST" || headers["content-type"] !== "application/json") return 415;
    if (typeof id !== "string" || typeof time !== "string" || typeof signatures !== "string") return 400;
    if (Math.abs(Date.now() / 1000 - Number(time)) > TOLERANCE_SECONDS) return 400;
    const key = Buffer.from(this.secret.slice("whsec_".length), "base64");
    const expected = createHmac("sha256", key).update(`${id}.${time}.${body}`).digest();
    const isSigned = signatures.split(" ").some((signature) => {
      const [version, base64 = ""] = signature.split(",");
      const got = Buffer.from(base64, "base64");
      return version === "v1" && got.length === expected.length && timingSafeEqual(got, expected);
    });
    if (!isSigned) return 401;
    this.received.push({ id, ...(JSON.parse(body) as Omit<Received, "id">) });
    return 204;
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
