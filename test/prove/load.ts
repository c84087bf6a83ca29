/**
 * A paced UDP load over sockets that are kept, with what became of every question.
 */
import { createSocket, type Socket } from "node:dgram";
import type { Address } from "../e2e/clients/udp.ts";
import { encodeQuestion } from "../e2e/dns.ts";

export interface LoadOptions {
  server: Address;
  /** Local address of all sockets. */
  from: string;
  /** Questions a second. */
  rate: number;
  /** Names in turn. */
  names: string[];
  type?: string;
  sockets?: number;
  /** Sees each answer: its name and rcode, when it was asked and when it came (performance.now), and all of it. */
  onAnswer?: (name: string, rcode: number, sentAt: number, cameAt: number, message: Buffer) => void;
}

export interface LoadResult {
  sent: number;
  answered: number;
  /** Answered with another rcode than NOERROR or NXDOMAIN. */
  failed: number;
  share: number;
  p50Ms: number;
  p99Ms: number;
  longestMs: number;
}

/** How long an answer is waited for: a stub resolver's patience. */
const PATIENCE_MS = 5000;
/** How often what is due is sent. */
const BEAT_MS = 2;

interface Asked {
  name: string;
  sentAt: number;
}

export class Load {
  readonly #options: LoadOptions;
  readonly #sockets: Socket[] = [];
  readonly #waiting: Map<number, Asked>[] = [];
  readonly #templates: Buffer[];
  readonly #latencies: number[] = [];
  #sent = 0;
  #answered = 0;
  #failed = 0;
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #sentBefore = 0;

  static async start(options: LoadOptions): Promise<Load> {
    const load = new Load(options);
    for (let index = 0; index < (options.sockets ?? 16); index++) await load.#open(index);
    load.#startedAt = performance.now();
    load.#timer = setInterval(() => load.#send(), BEAT_MS);
    return load;
  }

  private constructor(options: LoadOptions) {
    this.#options = options;
    this.#templates = options.names.map((name) => encodeQuestion(name, { type: options.type ?? "A" }));
  }

  get sent(): number {
    return this.#sent;
  }

  get answered(): number {
    return this.#answered;
  }

  /** Stops when the task is done, or has failed: a load that nobody stops keeps the process alive. */
  async during(task: () => Promise<unknown>): Promise<LoadResult> {
    try {
      await task();
    } catch (error) {
      await this.stop();
      throw error;
    }
    return this.stop();
  }

  /** Stops asking, waits for what is on its way, and tells. */
  async stop(): Promise<LoadResult> {
    clearInterval(this.#timer);
    const end = performance.now() + PATIENCE_MS;
    await new Promise<void>((resolve) => {
      const look = () => {
        const left = this.#waiting.some((waiting) => waiting.size > 0);
        if (!left || performance.now() > end) resolve();
        else setTimeout(look, 10);
      };
      look();
    });
    for (const socket of this.#sockets) socket.close();
    const sorted = this.#latencies.sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return {
      sent: this.#sent,
      answered: this.#answered,
      failed: this.#failed,
      share: this.#sent === 0 ? 0 : this.#answered / this.#sent,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      longestMs: at(1),
    };
  }

  async #open(index: number): Promise<void> {
    const { server, from } = this.#options;
    const socket = createSocket({ type: "udp4", recvBufferSize: 8 * 1024 * 1024 });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind({ address: from, port: 0 }, () => socket.connect(server.port, server.host, () => resolve()));
    });
    socket.removeAllListeners("error");
    // An answer that does not come is counted as one.
    socket.on("error", () => {});
    const waiting = new Map<number, Asked>();
    this.#waiting[index] = waiting;
    this.#sockets[index] = socket;
    socket.on("message", (message) => this.#accept(waiting, message));
  }

  #send(): void {
    const due = ((performance.now() - this.#startedAt) * this.#options.rate) / 1000;
    // A loader that was held up does not make up for it by a burst of more than a tenth of a second.
    this.#sentBefore = Math.max(this.#sentBefore, due - this.#options.rate / 10);
    while (this.#sentBefore < due) {
      this.#sentBefore++;
      const number = this.#sent++;
      const template = this.#templates[number % this.#templates.length] as Buffer;
      const index = number % this.#sockets.length;
      const id = Math.floor(number / this.#sockets.length) & 0xffff;
      const question = Buffer.from(template);
      question.writeUInt16BE(id, 0);
      const name = this.#options.names[number % this.#options.names.length] ?? "";
      this.#waiting[index]?.set(id, { name, sentAt: performance.now() });
      this.#sockets[index]?.send(question);
    }
  }

  #accept(waiting: Map<number, Asked>, message: Buffer): void {
    const cameAt = performance.now();
    const id = message.readUInt16BE(0);
    const asked = waiting.get(id);
    if (!asked) return;
    waiting.delete(id);
    const rcode = message.readUInt8(3) & 15;
    this.#answered++;
    if (rcode !== 0 && rcode !== 3) this.#failed++;
    this.#latencies.push(cameAt - asked.sentAt);
    this.#options.onAnswer?.(asked.name, rcode, asked.sentAt, cameAt, message);
  }
}
