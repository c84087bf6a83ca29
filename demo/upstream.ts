/**
 * A small DNS server for the demo and for tests: DoT, DoH (HTTP/2), TCP and UDP, all answering from one zone file.
 */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createSecureServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { decode, encode, type Packet, RECURSION_AVAILABLE, RECURSION_DESIRED, TRUNCATED_RESPONSE } from "dns-packet";
import { EDNS } from "./question.ts";
import type { Zone } from "./zone.ts";

export type Transport = "udp" | "tcp" | "dot" | "doh";

export interface UpstreamOptions {
  zone: Zone;
  /** PEM texts; DoT and DoH need them. */
  tls?: { certificate: string; key: string };
  address?: string;
  /** A transport without a port is not opened; 0 takes a free one. */
  ports: Partial<Record<Transport, number>>;
  hooks?: UpstreamHooks;
}

export interface UpstreamHooks {
  /**
   * Sees each question with the true answer; what it returns is sent instead: one message, several, or none. It may
   * take its time.
   */
  answer?: (
    question: Question,
    truth: Buffer,
  ) => Buffer | Buffer[] | undefined | Promise<Buffer | Buffer[] | undefined>;
}

export interface Question {
  transport: Transport;
  message: Buffer;
  packet: Packet;
  name: string;
  type: string;
  /** Of DoH: the request's headers. */
  headers: Record<string, string | string[] | undefined>;
  /** Ends the connection that the question came by. */
  disconnect: () => void;
}

type Reply = (message: Buffer) => void;
type Origin = Pick<Question, "transport" | "headers" | "disconnect">;

const largestMessage = 65_535;

export class Upstream {
  /** Where each transport listens, once started. */
  readonly ports: Partial<Record<Transport, number>> = {};
  readonly queries: Record<Transport, number> = { udp: 0, tcp: 0, dot: 0, doh: 0 };
  /** Connections opened so far. */
  readonly connections: Record<Transport, number> = { udp: 0, tcp: 0, dot: 0, doh: 0 };
  hooks: UpstreamHooks;
  readonly #options: UpstreamOptions;
  readonly #open = new Set<{ destroy: () => void }>();
  readonly #servers: Server[] = [];
  #udp: UdpSocket | undefined;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.hooks = options.hooks ?? {};
  }

  async start(): Promise<void> {
    const { ports, tls, address = "127.0.0.1" } = this.#options;
    const credentials = tls ? { cert: tls.certificate, key: tls.key } : {};
    try {
      if (ports.udp !== undefined) this.ports.udp = await this.#bindUdp(ports.udp, address);
      if (ports.tcp !== undefined) {
        const server = createServer({ noDelay: true }, (socket) => this.#serveStream(socket, "tcp"));
        this.ports.tcp = await this.#listen(server, ports.tcp, address);
      }
      if (ports.dot !== undefined) {
        const options = { ...credentials, ALPNProtocols: ["dot"], noDelay: true };
        const server = createTlsServer(options, (socket) => this.#serveStream(socket, "dot"));
        this.ports.dot = await this.#listen(server, ports.dot, address);
      }
      if (ports.doh !== undefined) {
        const server = createSecureServer(credentials);
        server.on("session", (session: ServerHttp2Session) => {
          this.connections.doh++;
          this.#track(session);
        });
        server.on("stream", (stream: ServerHttp2Stream, headers) => this.#serveDoh(stream, headers));
        this.ports.doh = await this.#listen(server, ports.doh, address);
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#udp?.close();
    this.#udp = undefined;
    for (const connection of this.#open) connection.destroy();
    const closing = this.#servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve)));
    await Promise.all(closing);
  }

  /** Ends every connection, as a server that idles or restarts does; listening goes on. */
  disconnectAll(): void {
    for (const connection of this.#open) connection.destroy();
  }

  async #bindUdp(port: number, address: string): Promise<number> {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    this.#udp = socket;
    socket.on("message", (message, peer) => {
      const origin: Origin = { transport: "udp", headers: {}, disconnect: () => {} };
      void this.#answer(message, origin, (reply) => socket.send(reply, peer.port, peer.address));
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(port, address, resolve);
    });
    return socket.address().port;
  }

  async #listen(server: Server, port: number, address: string): Promise<number> {
    this.#servers.push(server);
    server.on("tlsClientError", (_, socket: Socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, address, resolve);
    });
    return (server.address() as AddressInfo).port;
  }

  #track(connection: { destroy: () => void; once: (event: "close", then: () => void) => unknown }): void {
    this.#open.add(connection);
    connection.once("close", () => this.#open.delete(connection));
  }

  /** RFC 1035 §4.2.2, RFC 7858: each message after its length in two octets. */
  #serveStream(socket: Socket, transport: "tcp" | "dot"): void {
    this.connections[transport]++;
    this.#track(socket);
    socket.on("error", () => socket.destroy());
    const origin: Origin = { transport, headers: {}, disconnect: () => socket.destroy() };
    let pending: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const end = 2 + pending.readUInt16BE(0);
        const message = pending.subarray(2, end);
        pending = pending.subarray(end);
        void this.#answer(message, origin, (reply) => {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(reply.length);
          if (socket.writable) socket.write(Buffer.concat([length, reply]));
        });
      }
    });
  }

  /** RFC 8484. */
  #serveDoh(stream: ServerHttp2Stream, headers: Question["headers"]): void {
    stream.on("error", () => stream.destroy());
    const url = new URL(String(headers[":path"]), "https://upstream");
    const origin: Origin = { transport: "doh", headers, disconnect: () => stream.session?.destroy() };
    const refuse = (status: number): void => {
      stream.respond({ ":status": status }, { endStream: true });
    };
    const reply: Reply = (message) => {
      if (stream.destroyed || stream.headersSent) return;
      stream.respond({ ":status": 200, "content-type": "application/dns-message", "content-length": message.length });
      stream.end(message);
    };
    if (url.pathname !== "/dns-query") {
      refuse(404);
      return;
    }
    if (headers[":method"] === "GET") {
      void this.#answer(Buffer.from(url.searchParams.get("dns") ?? "", "base64url"), origin, reply);
      return;
    }
    if (headers[":method"] !== "POST") {
      refuse(405);
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= largestMessage) chunks.push(chunk);
    });
    stream.on("end", () => {
      if (size > largestMessage) refuse(413);
      else void this.#answer(Buffer.concat(chunks), origin, reply);
    });
  }

  async #answer(message: Buffer, origin: Origin, reply: Reply): Promise<void> {
    this.queries[origin.transport]++;
    const packet = read(message);
    const asked = packet?.questions?.[0];
    // What is no question gets no answer: a resolver in front of this server never sends it.
    if (!packet || !asked) return;
    const truth = fit(encode(this.#truth(packet, asked)), packet, origin.transport);
    const question = { ...origin, message, packet, name: asked.name, type: asked.type };
    const chosen = this.hooks.answer ? await this.hooks.answer(question, truth) : truth;
    if (chosen === undefined) return;
    for (const each of Array.isArray(chosen) ? chosen : [chosen]) reply(each);
  }

  #truth(query: Packet, asked: NonNullable<Packet["questions"]>[number]): Packet {
    const { rcode, answers, authorities } = this.#options.zone.answer(asked.name, asked.type);
    const hasOptions = query.additionals?.some((record) => record.type === "OPT");
    return {
      type: "response",
      id: query.id ?? 0,
      flags: ((query.flags ?? 0) & RECURSION_DESIRED) | RECURSION_AVAILABLE | (rcode === "NXDOMAIN" ? 3 : 0),
      questions: [asked],
      answers,
      authorities,
      additionals: hasOptions ? [EDNS] : [],
    };
  }
}

/** RFC 1035 §4.2.1, RFC 6891 §6.2.3: over UDP, what does not fit is asked again over TCP. */
function fit(message: Buffer, query: Packet, transport: Transport): Buffer {
  const options = query.additionals?.find((record) => record.type === "OPT");
  const size = options?.type === "OPT" ? Math.max(512, Math.min(options.udpPayloadSize, 1232)) : 512;
  if (transport !== "udp" || message.length <= size) return message;
  const { id = 0, questions = [] } = query;
  const flags = ((query.flags ?? 0) & RECURSION_DESIRED) | RECURSION_AVAILABLE | TRUNCATED_RESPONSE;
  return encode({ type: "response", id, flags, questions });
}

function read(message: Buffer): Packet | undefined {
  try {
    return decode(message);
  } catch {
    return undefined;
  }
}
