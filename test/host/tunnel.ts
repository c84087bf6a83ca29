/**
 * Envoy's side of the UDP tunnel (filter_chain `udp_proxy` → HTTP/2 → `dns_udp`): an HTTP/2 client that opens a
 * stream for each UDP session and carries datagrams in RFC 9297 capsules. Plain and synchronous, for tests that need
 * to say what comes when; `duplexOf` lets Node's own HTTP/2 client take its place.
 */
import { Duplex } from "node:stream";
import type { Connection } from "./connection.ts";
import { concat } from "./context.ts";
import type { Host } from "./host.ts";
import { encodeLatin1 } from "./memory.ts";

export enum FrameType {
  Data = 0,
  Headers = 1,
  RstStream = 3,
  Settings = 4,
  Ping = 6,
  GoAway = 7,
  WindowUpdate = 8,
  Continuation = 9,
}

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Uint8Array;
}

const PREFACE = encodeLatin1("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** SETTINGS_HEADER_TABLE_SIZE = 0, which is what `hpack_table_size: 0` on the cluster says to the filter. */
const TABLE_SIZE_0 = Uint8Array.of(0, 1, 0, 0, 0, 0);
/** RFC 7541 §4.2: after that, the filter's first header block begins with a table size update of 0. */
const TABLE_SIZE_UPDATE_0 = 0x20;
/** `:status: 200` of HPACK's static table. */
const STATUS_200 = 0x88;
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;

export function encodeFrame({ type, flags, stream, payload }: Frame): Uint8Array {
  const out = new Uint8Array(9 + payload.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, (payload.length << 8) | type);
  out[4] = flags;
  view.setUint32(5, stream);
  out.set(payload, 9);
  return out;
}

/** Whole frames in bytes, and how many bytes they took. */
export function decodeFrames(bytes: Uint8Array): { frames: Frame[]; size: number } {
  const frames: Frame[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + 9 <= bytes.length) {
    const length = view.getUint32(at) >>> 8;
    if (at + 9 + length > bytes.length) break;
    frames.push({
      type: bytes[at + 3] ?? 0,
      flags: bytes[at + 4] ?? 0,
      stream: view.getUint32(at + 5) & 0x7fffffff,
      payload: bytes.slice(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return { frames, size: at };
}

/** A field as HPACK's "literal without indexing", name and value in plain octets. */
export function encodeField(name: string, value: string): Uint8Array {
  return concat(Uint8Array.of(0), hpackText(name), hpackText(value));
}

function hpackText(text: string): Uint8Array {
  const bytes = encodeLatin1(text);
  const size = bytes.length < 127 ? [bytes.length] : [127, ...continued(bytes.length - 127)];
  return concat(Uint8Array.from(size), bytes);
}

function continued(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...continued(value >>> 7)];
}

/** A datagram as a capsule of type DATAGRAM with context id 0 (RFC 9297, RFC 9298). */
export function encodeCapsule(datagram: Uint8Array): Uint8Array {
  const size = datagram.length + 1;
  const length =
    size < 64 ? [size] : size < 16384 ? [0x40 | (size >> 8), size & 255] : [0x80, 0, size >> 8, size & 255];
  return concat(Uint8Array.of(0, ...length, 0), datagram);
}

/** Datagrams in whole capsules. */
export function decodeCapsules(bytes: Uint8Array): { datagrams: Uint8Array[]; size: number } {
  const datagrams: Uint8Array[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const first = bytes[at + 1] ?? 0;
    const extra = (1 << (first >> 6)) - 1;
    let length = first & 63;
    for (let index = 0; index < extra; index++) length = length * 256 + (bytes[at + 2 + index] ?? 0);
    const start = at + 2 + extra;
    if (start + length > bytes.length) break;
    if (bytes[at] === 0 && bytes[start] === 0) datagrams.push(bytes.slice(start + 1, start + length));
    at = start + length;
  }
  return { datagrams, size: at };
}

/** One UDP session: what came back for it. */
export interface Session {
  readonly stream: number;
  /** Datagrams that came, until taken. */
  received: Uint8Array[];
  status: number | undefined;
  ended: boolean;
  reset: number | undefined;
}

export class Tunnel {
  readonly connection: Connection;
  readonly sessions = new Map<number, Session>();
  goAway = false;
  /** Why Envoy's codec would have ended the connection. */
  protocolError: string | undefined;
  #nextStream = 1;
  #rest: Uint8Array = new Uint8Array();
  #tableUpdated = false;
  readonly #capsules = new Map<number, Uint8Array>();

  constructor(host: Host, plugin: string) {
    this.connection = host.connect(plugin);
    this.connection.send(
      concat(PREFACE, encodeFrame({ type: FrameType.Settings, flags: 0, stream: 0, payload: TABLE_SIZE_0 })),
    );
    this.poll();
  }

  /** Opens a session for a client, `address:port`, and sends its first datagrams. */
  open(source: string, ...datagrams: Uint8Array[]): Session {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    const session: Session = { stream, received: [], status: undefined, ended: false, reset: undefined };
    this.sessions.set(stream, session);
    const fields: [string, string][] = [
      [":method", "POST"],
      [":scheme", "http"],
      [":authority", "dns:53"],
      [":path", "/dns"],
      ["capsule-protocol", "?1"],
      ["x-src", source],
    ];
    const payload = concat(...fields.map(([name, value]) => encodeField(name, value)));
    this.connection.send(encodeFrame({ type: FrameType.Headers, flags: END_HEADERS, stream, payload }));
    this.poll();
    for (const datagram of datagrams) this.send(session, datagram);
    return session;
  }

  send(session: Session, datagram: Uint8Array): void {
    if (this.protocolError) throw new Error(`the tunnel was ended: ${this.protocolError}`);
    const payload = encodeCapsule(datagram);
    this.connection.send(encodeFrame({ type: FrameType.Data, flags: 0, stream: session.stream, payload }));
    this.poll();
  }

  /** Envoy's session ran into its idle time. */
  end(session: Session): void {
    const payload = new Uint8Array(4);
    this.connection.send(encodeFrame({ type: FrameType.RstStream, flags: 0, stream: session.stream, payload }));
    this.sessions.delete(session.stream);
    this.poll();
  }

  /** Asks, and gives what came at once. */
  ask(source: string, datagram: Uint8Array): Uint8Array | undefined {
    return this.open(source, datagram).received.shift();
  }

  /** Reads what the filter wrote since the last time. */
  poll(): void {
    const bytes = concat(this.#rest, this.connection.take());
    const { frames, size } = decodeFrames(bytes);
    this.#rest = bytes.slice(size);
    for (const frame of frames) this.#accept(frame);
  }

  #accept(frame: Frame): void {
    if (frame.type === FrameType.Settings && (frame.flags & ACK) === 0)
      this.connection.send(encodeFrame({ type: FrameType.Settings, flags: ACK, stream: 0, payload: new Uint8Array() }));
    if (frame.type === FrameType.GoAway) this.goAway = true;
    const session = this.sessions.get(frame.stream);
    if (!session) return;
    if (frame.type === FrameType.Headers) session.status = this.#readStatus(frame.payload);
    if (frame.type === FrameType.RstStream) session.reset = new DataView(frame.payload.buffer).getUint32(0);
    if (frame.type === FrameType.Data) {
      const { datagrams, size } = decodeCapsules(
        concat(this.#capsules.get(frame.stream) ?? new Uint8Array(), frame.payload),
      );
      this.#capsules.set(
        frame.stream,
        concat(this.#capsules.get(frame.stream) ?? new Uint8Array(), frame.payload).slice(size),
      );
      session.received.push(...datagrams);
    }
    if ((frame.flags & END_STREAM) !== 0 && frame.type <= FrameType.Headers) session.ended = true;
  }

  #readStatus(block: Uint8Array): number {
    const updated = block[0] === TABLE_SIZE_UPDATE_0;
    if (!updated && !this.#tableUpdated) {
      this.protocolError = "COMPRESSION_ERROR: the first header block does not begin with a table size update of 0";
      this.connection.close();
    }
    this.#tableUpdated = true;
    return block[updated ? 1 : 0] === STATUS_200 ? 200 : 0;
  }
}

/** A connection of the fake host as a stream, for `http2.connect(url, { createConnection: () => duplexOf(c) })`. */
export function duplexOf(connection: Connection): Duplex {
  const duplex = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      if (connection.closedBy === undefined) connection.send(new Uint8Array(chunk));
      const written = connection.take();
      if (written.length > 0) duplex.push(written);
      if (connection.closedBy !== undefined) duplex.push(null);
      done();
    },
    final(done) {
      connection.close();
      done();
    },
  });
  return duplex;
}
