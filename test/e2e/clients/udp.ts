/**
 * DNS over UDP, from a chosen address: a socket for every question, or one for many.
 */
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { type Answer, decodeAnswer } from "../dns.ts";
import { within } from "./deadline.ts";

export interface Address {
  host: string;
  port: number;
}

export interface UdpOptions {
  /** Local address, which is what tenants are told apart by. */
  from?: string;
  timeoutMs?: number;
}

/** One question from a port of its own. */
export async function askUdp(server: Address, question: Buffer, options: UdpOptions = {}): Promise<Answer> {
  const client = await UdpClient.open(server, options.from);
  try {
    return await client.ask(question, options.timeoutMs);
  } finally {
    client.close();
  }
}

/** Questions from one port; answers are told apart by message id. */
export class UdpClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (answer: Buffer) => void>();
  /** Datagrams that no question waited for. */
  readonly unexpected: Buffer[] = [];

  static async open(server: Address, from?: string): Promise<UdpClient> {
    const socket = createSocket({ type: isIPv6(server.host) ? "udp6" : "udp4", recvBufferSize: 4 * 1024 * 1024 });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind({ port: 0, ...(from ? { address: from } : {}) }, () => {
        socket.connect(server.port, server.host, () => resolve());
      });
    });
    return new UdpClient(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.removeAllListeners("error");
    // A refused port is a question without an answer, which is what the caller is told.
    socket.on("error", () => {});
    socket.on("message", (message) => {
      const id = message.length >= 2 ? message.readUInt16BE(0) : -1;
      const resolve = this.#waiting.get(id);
      if (!resolve) {
        this.unexpected.push(message);
        return;
      }
      this.#waiting.delete(id);
      resolve(message);
    });
  }

  get localPort(): number {
    return this.#socket.address().port;
  }

  send(datagram: Buffer): void {
    this.#socket.send(datagram);
  }

  async ask(question: Buffer, timeoutMs = 5000): Promise<Answer> {
    const id = question.readUInt16BE(0);
    const answer = new Promise<Buffer>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(question);
    try {
      return decodeAnswer(await within(timeoutMs, `UDP answer to question ${id}`, answer));
    } finally {
      this.#waiting.delete(id);
    }
  }

  close(): void {
    this.#socket.close();
  }
}
