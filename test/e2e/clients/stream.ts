/**
 * DNS over TCP and DNS over TLS (RFC 7766, RFC 7858) on one connection: pipelined questions, answers in any order.
 */
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { type Answer, decodeAnswer } from "../dns.ts";
import { within } from "./deadline.ts";
import type { Address } from "./udp.ts";

export interface StreamOptions {
  from?: string;
  /** DNS over TLS with these options; plain TCP without. */
  tls?: ConnectionOptions;
  allowHalfOpen?: boolean;
}

export class StreamClient {
  readonly socket: Socket;
  /** Resolved when the server has ended the connection, or it broke. */
  readonly closed: Promise<void>;
  /** Ids of answers in the order in which they came. */
  readonly order: number[] = [];
  readonly unexpected: Buffer[] = [];
  readonly #waiting = new Map<number, (answer: Buffer) => void>();
  #rest = Buffer.alloc(0);

  static async open(server: Address, options: StreamOptions = {}): Promise<StreamClient> {
    const { from, tls, allowHalfOpen = false } = options;
    const target = { host: server.host, port: server.port, allowHalfOpen, ...(from ? { localAddress: from } : {}) };
    const socket = tls ? connectTls({ ...target, ALPNProtocols: ["dot"], ...tls }) : connect(target);
    const ready = new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("closed before it was open")));
      socket.once(tls ? "secureConnect" : "connect", () => resolve());
    });
    await within(5000, `connection to ${server.host}:${server.port}`, ready);
    return new StreamClient(socket);
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.removeAllListeners("error");
    socket.removeAllListeners("close");
    // Broken connections show as questions without an answer, and in `closed`.
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.once("close", () => resolve());
      socket.once("end", () => resolve());
    });
    socket.on("data", (data) => this.#accept(data));
  }

  /** Bytes as they are. */
  write(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** A message with its two octets of length, without waiting for an answer. */
  send(...questions: Buffer[]): void {
    this.write(frame(...questions));
  }

  async ask(question: Buffer, timeoutMs = 5000): Promise<Answer> {
    const [answer] = await this.askAll([question], timeoutMs);
    if (!answer) throw new Error("no answer");
    return answer;
  }

  /** Sends all questions in one write; answers in the order of the questions. */
  async askAll(questions: Buffer[], timeoutMs = 5000): Promise<Answer[]> {
    const answers = questions.map((question) => this.answerTo(question.readUInt16BE(0), timeoutMs));
    this.send(...questions);
    return Promise.all(answers);
  }

  /** Waits for the answer with an id. */
  async answerTo(id: number, timeoutMs = 5000): Promise<Answer> {
    const answer = new Promise<Buffer>((resolve) => this.#waiting.set(id, resolve));
    const gone = this.closed.then(() => {
      throw new Error(`the connection ended before question ${id} was answered`);
    });
    gone.catch(() => {});
    try {
      return decodeAnswer(await within(timeoutMs, `answer to question ${id}`, Promise.race([answer, gone])));
    } finally {
      this.#waiting.delete(id);
    }
  }

  close(): void {
    this.socket.destroy();
  }

  #accept(data: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, data]);
    while (this.#rest.length >= 2 && this.#rest.length >= 2 + this.#rest.readUInt16BE(0)) {
      const size = this.#rest.readUInt16BE(0);
      const message = Buffer.from(this.#rest.subarray(2, 2 + size));
      this.#rest = this.#rest.subarray(2 + size);
      const id = message.length >= 2 ? message.readUInt16BE(0) : -1;
      this.order.push(id);
      const resolve = this.#waiting.get(id);
      if (resolve) resolve(message);
      else this.unexpected.push(message);
    }
  }
}

/** Messages with their two octets of length before each. */
export function frame(...messages: Uint8Array[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => [Buffer.from([message.length >> 8, message.length & 255]), Buffer.from(message)]),
  );
}
