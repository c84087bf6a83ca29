/**
 * Pieces of octets to one peer, over a connection that is opened anew when it ends, and never more of them in memory than a
 * bound. A peer that is away, or reads too slowly, costs what comes beyond that bound, and nobody waits for it.
 */
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Endpoint, formatEndpoint } from "../../endpoint.ts";
import type { ExportContext } from "./event-exporter.ts";

/** Octets that may wait. */
const MAX_WAITING = 8 * 2 ** 20;
const RETRY_MS = 1000;
/** From the connection to the moment in which pieces may be sent. */
const OPEN_MS = 5000;
/** For what waits when the stream is closed. */
const CLOSE_MS = 2000;

export interface OutgoingStreamOptions extends ExportContext {
  /** For people. */
  readonly what: string;
  readonly endpoint: Endpoint;
  /** By TLS; `ca` is trusted instead of the public authorities. */
  readonly tls?: { readonly ca: string | undefined };
  /** What is said before the first piece; resolved when pieces may follow. */
  readonly greet?: (socket: Socket) => Promise<void>;
  /** What is said after the last piece. */
  readonly part?: (socket: Socket) => Promise<void>;
  readonly maxWaiting?: number;
}

interface Piece {
  readonly octets: Uint8Array;
  /** How many things are in it. */
  readonly count: number;
}

export class OutgoingStream {
  readonly #options: OutgoingStreamOptions;
  #waiting: Piece[] = [];
  /** Given to the socket, and not yet to the network. */
  readonly #underWay = new Set<Piece>();
  #octets = 0;
  #socket: Socket | undefined;
  /** The socket, once pieces may be sent. */
  #open: Socket | undefined;
  #cancelRetry = (): void => {};
  #inTrouble = false;
  #closed = false;
  #drained: (() => void) | undefined;
  sent = 0;
  lost = 0;

  constructor(options: OutgoingStreamOptions) {
    this.#options = options;
    this.#connect();
  }

  write(octets: Uint8Array, count: number): void {
    if (this.#closed || this.#octets + octets.length > (this.#options.maxWaiting ?? MAX_WAITING)) {
      this.lost += count;
      return;
    }
    this.#octets += octets.length;
    this.#waiting.push({ octets, count });
    this.#send();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelRetry();
    const socket = this.#open;
    if (socket !== undefined) await this.#within(CLOSE_MS, this.#end(socket));
    this.#socket?.destroy();
    this.#lose(this.#waiting);
    this.#waiting = [];
  }

  async #end(socket: Socket): Promise<void> {
    if (this.#octets > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    await this.#options.part?.(socket);
    await new Promise<void>((resolve) => socket.end(resolve));
  }

  async #within(milliseconds: number, task: Promise<void>): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.after(milliseconds, resolve);
      task
        .catch(() => {})
        .finally(() => {
          cancel();
          resolve();
        });
    });
  }

  #connect(): void {
    const { greet, after } = this.#options;
    const { socket, opened } = this.#socketOf();
    this.#socket = socket;
    let reason = "the peer has ended it";
    const cancel = after(OPEN_MS, () => socket.destroy(new Error(`it did not open within ${OPEN_MS} ms`)));
    socket.on("error", (error) => {
      reason = error.message;
    });
    socket.on("close", () => {
      cancel();
      this.#ended(reason);
    });
    socket.on("drain", () => this.#send());
    // What a peer says is of interest to `greet` and `part` alone; its end is noticed only where it is read.
    socket.resume();
    socket.once(opened, () => {
      (greet?.(socket) ?? Promise.resolve()).then(
        () => {
          cancel();
          if (socket.destroyed) return;
          this.#inTrouble = false;
          this.#open = socket;
          this.#send();
        },
        (error: Error) => socket.destroy(error),
      );
    });
  }

  #socketOf(): { readonly socket: Socket; readonly opened: "connect" | "secureConnect" } {
    const { endpoint, tls } = this.#options;
    if (endpoint.kind === "unix") return { socket: connect(endpoint.path), opened: "connect" };
    const { host, port } = endpoint;
    if (tls === undefined) return { socket: connect(port, host), opened: "connect" };
    // RFC 6066, section 3: a server's name is no address.
    const servername = isIP(host) === 0 ? { servername: host } : {};
    return { socket: connectTls({ host, port, ca: tls.ca, ...servername }), opened: "secureConnect" };
  }

  #ended(reason: string): void {
    const { what, endpoint, onTrouble, after } = this.#options;
    this.#open = undefined;
    this.#lose(this.#underWay);
    this.#underWay.clear();
    if (this.#closed) return;
    if (!this.#inTrouble) onTrouble(`${what}: no connection to ${formatEndpoint(endpoint)}, trying again: ${reason}`);
    this.#inTrouble = true;
    this.#cancelRetry = after(RETRY_MS, () => this.#connect());
  }

  #send(): void {
    const socket = this.#open;
    if (socket === undefined) return;
    while (!socket.writableNeedDrain) {
      const piece = this.#waiting.shift();
      if (piece === undefined) return;
      this.#underWay.add(piece);
      socket.write(piece.octets, (error) => {
        // Where it has failed, the connection's end counts it.
        if (error || !this.#underWay.delete(piece)) return;
        this.#octets -= piece.octets.length;
        this.sent += piece.count;
        if (this.#octets === 0) this.#drained?.();
      });
    }
  }

  #lose(pieces: Iterable<Piece>): void {
    for (const { octets, count } of pieces) {
      this.#octets -= octets.length;
      this.lost += count;
    }
  }
}
