/** Octets of HTTP/2 and of capsules for the tunnel's tests, and a connection to the wasm that takes them. */
import { Duplex } from "node:stream";
import { decodeFrames, encodeCapsule, encodeField, encodeFrame, type Frame, FrameType } from "../../host/tunnel.ts";
import { compile, type Instance, instantiate } from "../build.ts";

export { decodeFrames, encodeCapsule, encodeField, encodeFrame, type Frame, FrameType };

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const PRIORITY = 32;

/** What the receiver in the wasm does with a query. */
export enum Mode {
  Answer = 0,
  Hold = 1,
  Drop = 2,
  AnswerLarge = 3,
}

export const frame = (
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(),
): Uint8Array => encodeFrame({ type, flags, stream, payload });
export const u32 = (value: number): Uint8Array => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
export const setting = (id: number, value: number): Uint8Array => Buffer.concat([Uint8Array.of(0, id), u32(value)]);
export const settings = (...values: Uint8Array[]): Uint8Array => frame(FrameType.Settings, 0, 0, Buffer.concat(values));
export const fields = (source: string): Uint8Array =>
  Buffer.concat([Uint8Array.of(0x83), encodeField(":path", "/dns"), encodeField("x-src", source)]);
export const request = (stream: number, source = "192.0.2.1:1000"): Uint8Array =>
  frame(FrameType.Headers, END_HEADERS, stream, fields(source));
export const datagram = (stream: number, text: string): Uint8Array =>
  frame(FrameType.Data, 0, stream, encodeCapsule(Buffer.from(text)));

/** A small generator of numbers that repeats (mulberry32). */
export function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const CONTEXT = 7;

/** One wasm instance with one tunnel connection. */
export class Lab {
  #now = 1_000_000n;
  readonly #instance: Instance;

  constructor(instance: Instance) {
    this.#instance = instance;
    this.limits();
    this.connect();
  }

  static async open(): Promise<Lab> {
    return new Lab(await instantiate(await compile("test/filter/tunnel/entry/tunnel.ts")));
  }

  call(name: string, ...values: (number | bigint)[]): number {
    const exported = this.#instance.entry[name];
    if (!exported) throw new Error(`the entry does not export ${name}`);
    return exported(...values);
  }

  limits({ sessions = 1000, perSource = 64, keepAlive = 150_000n } = {}): void {
    this.call("setLimits", sessions, perSource, keepAlive);
  }

  connect(context = CONTEXT): void {
    this.call("connect", context);
  }

  mode(mode: Mode, size = 0): void {
    this.call("setMode", mode, size);
  }

  /** Puts octets where functions of the entry look for them. */
  put(bytes: Uint8Array): number {
    this.#instance.memory().set(bytes, this.call("inputAt"));
    return bytes.length;
  }

  output(length: number): Buffer {
    const at = this.call("outputAt");
    return Buffer.from(this.#instance.memory().slice(at, at + length));
  }

  /** Gives the connection octets; whether they are sound. */
  send(bytes: Uint8Array, chunk = bytes.length, context = CONTEXT): boolean {
    let isSound = true;
    for (let at = 0; at < bytes.length && isSound; at += chunk)
      isSound = this.call("receive", context, this.put(bytes.subarray(at, at + chunk)), this.#now) === 1;
    return isSound;
  }

  take(context = CONTEXT): Uint8Array {
    return this.#instance.take(context);
  }

  frames(context = CONTEXT): Frame[] {
    return decodeFrames(this.take(context)).frames;
  }

  /** The greeting, and the octets after it; frames that came for those. */
  greeted(...bytes: Uint8Array[]): Frame[] {
    this.send(Buffer.concat([PREFACE, settings()]));
    this.take();
    this.send(Buffer.concat(bytes));
    return this.frames();
  }

  /** Lets time pass, then the connection ticks. */
  pass(microseconds: number): Frame[] {
    this.#now += BigInt(microseconds);
    this.call("tick", CONTEXT, this.#now);
    return this.frames();
  }

  get counters(): Record<string, number> {
    const names = ["opened", "ended", "lingered", "evicted", "refused", "received", "sent", "dropped", "late"];
    names.push("malformed", "skipped", "errors");
    return Object.fromEntries(names.map((name, index) => [name, Number(this.call("counter", index))]));
  }

  get isClosed(): boolean {
    return this.#instance.closed.has(CONTEXT);
  }

  get memorySize(): number {
    return this.#instance.memory().length;
  }

  /** The connection as a stream, in pieces of `chunk` octets, for Node's own HTTP/2 client. */
  duplex(chunk: number): Duplex {
    const duplex = new Duplex({
      read() {},
      write: (bytes: Buffer, _encoding, done) => {
        const isSound = this.send(bytes, chunk);
        duplex.push(this.take());
        if (!isSound) duplex.push(null);
        done();
      },
    });
    return duplex;
  }
}
