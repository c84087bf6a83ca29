/**
 * DNS over HTTPS (RFC 8484) on one HTTP/2 connection.
 */
import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { type Answer, decodeAnswer } from "../dns.ts";
import { within } from "./deadline.ts";
import type { Address } from "./udp.ts";

export interface DohResponse {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export const DNS_MESSAGE = "application/dns-message";

/** What every HTTP client of DNS messages can do, whatever its version of HTTP. */
export interface DohAsker {
  request(headers: OutgoingHttpHeaders, body?: Buffer): Promise<DohResponse>;
  close(): Promise<void>;
}

export class DohClient implements DohAsker {
  readonly #session: ClientHttp2Session;
  readonly #timeoutMs: number;

  static async open(
    server: Address,
    options: { from?: string; tls: ConnectionOptions; timeoutMs?: number },
  ): Promise<DohClient> {
    const { from, tls, timeoutMs = 5000 } = options;
    const local = from ? { localAddress: from } : {};
    const session = connect(`https://${tls.servername ?? server.host}:${server.port}`, {
      createConnection: () =>
        connectTls({ host: server.host, port: server.port, ALPNProtocols: ["h2"], ...local, ...tls }),
    });
    const ready = new Promise<void>((resolve, reject) => {
      session.once("error", reject);
      session.once("close", () => reject(new Error("closed before it was open")));
      session.once("connect", () => resolve());
    });
    await within(timeoutMs, `HTTP/2 connection to ${server.host}:${server.port}`, ready);
    return new DohClient(session, timeoutMs);
  }

  private constructor(session: ClientHttp2Session, timeoutMs: number) {
    this.#session = session;
    this.#timeoutMs = timeoutMs;
    session.removeAllListeners("error");
    // An error of the session is an error of each of its requests, which is where callers look.
    session.on("error", () => {});
  }

  request(headers: OutgoingHttpHeaders, body?: Buffer): Promise<DohResponse> {
    const response = new Promise<DohResponse>((resolve, reject) => {
      const stream = this.#session.request(headers, { endStream: body === undefined });
      const chunks: Buffer[] = [];
      let answered: IncomingHttpHeaders = {};
      stream.on("response", (incoming) => {
        answered = incoming;
      });
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", reject);
      stream.on("close", () => {
        const status = Number(answered[":status"]);
        if (status) resolve({ status, headers: answered, body: Buffer.concat(chunks) });
        else reject(new Error("the stream ended without a response"));
      });
      if (body !== undefined) stream.end(body);
    });
    return within(this.#timeoutMs, "HTTP/2 response", response);
  }

  async close(): Promise<void> {
    this.#session.destroy();
  }
}

/** Asks by GET: the message in the path. */
export function getDns(client: DohAsker, question: Buffer, path = "/dns-query"): Promise<DohResponse> {
  return client.request({
    ":method": "GET",
    ":path": `${path}?dns=${question.toString("base64url")}`,
    accept: DNS_MESSAGE,
  });
}

/** Asks by POST: the message as the body. */
export function postDns(client: DohAsker, question: Buffer, path = "/dns-query"): Promise<DohResponse> {
  return client.request(
    { ":method": "POST", ":path": path, accept: DNS_MESSAGE, "content-type": DNS_MESSAGE },
    question,
  );
}

/** The answer in a response, which must be a 200 with a DNS message. */
export function readDns(response: DohResponse): Answer {
  const type = response.headers["content-type"];
  if (response.status !== 200 || type !== DNS_MESSAGE)
    throw new Error(
      `expected 200 with ${DNS_MESSAGE}, got ${response.status} with ${type}: ${response.body.toString()}`,
    );
  return decodeAnswer(response.body);
}
