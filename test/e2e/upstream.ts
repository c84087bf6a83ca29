/**
 * An upstream server that says what a test tells it to: DNS over TCP, TLS and HTTPS on loopback, each question shown
 * to a script that gives true answers, wrong ones, late ones, or none.
 */
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import packet from "dns-packet";
import { frame } from "./clients/stream.ts";
import { answerFrom, parseZone, type Zone } from "./records.ts";

export type UpstreamTransport = "tcp" | "dot" | "doh";

/** A question that reached the upstream. */
export interface Asked {
  name: string;
  type: string;
  transport: UpstreamTransport;
  query: packet.Packet;
  wire: Buffer;
  /** Counts up from 1 on each connection. */
  numberOnConnection: number;
  /** Of DoH: the request's headers. */
  headers: { [name: string]: string | string[] | undefined };
}

export interface Reply {
  /** Messages to send, in order; none leaves the question open. DoH sends the last. */
  messages: Buffer[];
  delayMs?: number;
  /** Ends the connection after the messages. */
  close?: boolean;
  /** DoH: another status than 200. */
  status?: number;
}

export type Script = (asked: Asked) => Reply;

export interface UpstreamPorts {
  tcp: number;
  dot: number;
  doh: number;
}

export interface UpstreamOptions {
  tls: TlsOptions & { cert: string; key: string };
  zone?: Zone | string;
  /** Ports to take; free ones by default. */
  ports?: UpstreamPorts;
}

/** What an upstream says, whatever carries it: a zone, and a script between the zone and the answers. */
export class Oracle {
  /** Every question, oldest first. */
  readonly asked: Asked[] = [];
  /** Questions are kept in `asked`; load tests turn it off. */
  record = true;
  count = 0;
  zone: Zone;
  script: Script;

  constructor(zone: Zone | string = "") {
    this.zone = typeof zone === "string" ? parseZone(zone) : zone;
    this.script = (asked) => this.truth(asked);
  }

  /** What the zone says. */
  truth(asked: Asked): Reply {
    return { messages: [answerFrom(this.zone, asked.query)] };
  }

  /** Names that were asked for, each once. */
  get names(): Set<string> {
    return new Set(this.asked.map(({ name }) => name.toLowerCase()));
  }

  /** Back to an empty record and the zone's own answers. */
  reset(zone?: Zone | string): void {
    this.asked.length = 0;
    this.count = 0;
    this.script = (asked) => this.truth(asked);
    if (zone !== undefined) this.zone = typeof zone === "string" ? parseZone(zone) : zone;
  }

  /** Takes a question. */
  ask(wire: Buffer, transport: UpstreamTransport, number: number, headers: Asked["headers"]): Reply {
    let query: packet.Packet;
    try {
      query = packet.decode(wire);
    } catch {
      return { messages: [], close: true };
    }
    const [question] = query.questions ?? [];
    const { name = "", type = "" } = question ?? {};
    const asked = { name, type, transport, query, wire, numberOnConnection: number, headers };
    this.count++;
    if (this.record) this.asked.push(asked);
    return this.script(asked);
  }
}

export class ScriptedUpstream extends Oracle {
  readonly ports: UpstreamPorts;
  /** Connections accepted since the start. */
  connections = 0;
  /** A connection is closed after so many milliseconds of rest; 0 is never. */
  idleMs = 0;
  /** Called in the moment in which that is done. */
  onIdle: () => void = () => {};
  readonly #servers: (Server | Http2SecureServer)[];
  readonly #sockets: Set<Socket>;

  static async start(options: UpstreamOptions): Promise<ScriptedUpstream> {
    const sockets = new Set<Socket>();
    const tls = { minVersion: "TLSv1.2" as const, ...options.tls };
    // Nagle's algorithm would hold small answers back for the delayed acknowledgement of the ones before.
    const servers = {
      tcp: createServer({ noDelay: true }),
      dot: createTlsServer({ ...tls, ALPNProtocols: ["dot"], noDelay: true }),
      doh: createSecureServer(tls),
    };
    for (const server of Object.values(servers)) {
      server.on("connection", (socket: Socket) => {
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket));
        socket.on("error", () => socket.destroy());
      });
    }
    const wanted = options.ports ?? { tcp: 0, dot: 0, doh: 0 };
    const ports = { tcp: 0, dot: 0, doh: 0 };
    for (const name of ["tcp", "dot", "doh"] as const) {
      await new Promise<void>((resolve, reject) => {
        servers[name].once("error", reject);
        servers[name].listen(wanted[name], "127.0.0.1", resolve);
      });
      ports[name] = (servers[name].address() as AddressInfo).port;
    }
    const upstream = new ScriptedUpstream(ports, Object.values(servers), sockets, options.zone ?? "");
    servers.tcp.on("connection", (socket) => upstream.#serve(socket, "tcp"));
    servers.dot.on("secureConnection", (socket) => upstream.#serve(socket, "dot"));
    servers.dot.on("tlsClientError", () => {});
    servers.doh.on("sessionError", () => {});
    servers.doh.on("stream", (stream, headers) => upstream.#serveHttp(stream, headers));
    return upstream;
  }

  private constructor(
    ports: UpstreamPorts,
    servers: (Server | Http2SecureServer)[],
    sockets: Set<Socket>,
    zone: Zone | string,
  ) {
    super(zone);
    this.ports = ports;
    this.#servers = servers;
    this.#sockets = sockets;
  }

  /** Ends every connection, as a server that restarts. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
    this.dropConnections();
    await Promise.all(closed);
  }

  #serve(socket: Socket, transport: UpstreamTransport): void {
    this.connections++;
    let rest = Buffer.alloc(0);
    let number = 0;
    socket.on("error", () => socket.destroy());
    socket.setTimeout(this.idleMs, () => {
      socket.end();
      this.onIdle();
    });
    socket.on("data", (data: Buffer) => {
      rest = Buffer.concat([rest, data]);
      const ready: Buffer[] = [];
      // What comes after the last answer of a connection is not read any more.
      while (!socket.writableEnded && rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const size = rest.readUInt16BE(0);
        const wire = Buffer.from(rest.subarray(2, 2 + size));
        rest = rest.subarray(2 + size);
        const reply = this.ask(wire, transport, ++number, {});
        if (reply.delayMs !== undefined) after(reply.delayMs, () => this.#send(socket, reply));
        else {
          ready.push(...reply.messages);
          if (reply.close) this.#send(socket, { messages: ready.splice(0), close: true });
        }
      }
      if (ready.length > 0) socket.write(frame(...ready));
    });
  }

  #send(socket: Socket, reply: Reply): void {
    if (socket.destroyed) return;
    if (reply.messages.length > 0) socket.write(frame(...reply.messages));
    if (reply.close) socket.end();
  }

  #serveHttp(stream: ServerHttp2Stream, headers: Asked["headers"]): void {
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const path = new URL(String(headers[":path"]), "https://upstream");
      const encoded = path.searchParams.get("dns");
      const wire = encoded ? Buffer.from(encoded, "base64url") : Buffer.concat(chunks);
      const reply = this.ask(wire, "doh", 1, headers);
      after(reply.delayMs ?? 0, () => {
        if (stream.destroyed) return;
        if (reply.close) stream.close();
        const message = reply.messages.at(-1);
        if (!message && !reply.status) return;
        stream.respond({ ":status": reply.status ?? 200, "content-type": "application/dns-message" });
        stream.end(message);
      });
    });
  }
}

function after(milliseconds: number, action: () => void): void {
  if (milliseconds > 0) setTimeout(action, milliseconds);
  else action();
}
