/**
 * Somebody who takes dnstap at a Unix socket, and has BIND's dnstap-read say what came.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { Dnstap, Dnstap__Output } from "../../../../extproc/gen/types/dnstap/Dnstap.ts";
import type { Message__Output } from "../../../../extproc/gen/types/dnstap/Message.ts";
import { messageType } from "../../../../extproc/messages/protos.ts";
import { command } from "../../../e2e/tools.ts";

const dnstapType = messageType<Dnstap, Dnstap__Output>("dnstap.Dnstap");
const CONTENT_TYPE = "protobuf:dnstap.Dnstap";

function control(type: number, contentType = CONTENT_TYPE): Buffer {
  const octets = Buffer.alloc(20);
  octets.writeUInt32BE(12 + contentType.length, 4);
  octets.writeUInt32BE(type, 8);
  octets.writeUInt32BE(1, 12);
  octets.writeUInt32BE(contentType.length, 16);
  return Buffer.concat([octets, Buffer.from(contentType)]);
}

/** As dnstap-read has it with -y. */
export interface DnstapRecord {
  readonly type: string;
  readonly identity: string;
  readonly version: string;
  readonly message: Record<string, unknown> & {
    readonly type: string;
    readonly query_message?: string;
    readonly response_message?: string;
  };
}

export class DnstapCollector {
  readonly frames: Buffer[] = [];
  /** Types of control frames that came. */
  readonly controls: number[] = [];
  /** False for one that never says it is ready. */
  accepts = true;
  takes = CONTENT_TYPE;
  readonly #sockets = new Set<Socket>();
  readonly #folder: string;
  #server: Server | undefined;

  static async open(): Promise<DnstapCollector> {
    return new DnstapCollector(await mkdtemp(join(tmpdir(), "dnstap-")));
  }

  private constructor(folder: string) {
    this.#folder = folder;
  }

  get path(): string {
    return join(this.#folder, "dnstap.sock");
  }

  async listen(): Promise<void> {
    this.#server = createServer((socket) => this.#serve(socket));
    await new Promise<void>((resolve) => this.#server?.listen(this.path, resolve));
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Ends all connections, and takes none any more. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server?.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async close(): Promise<void> {
    if (this.#server?.listening) await this.stop();
    await rm(this.#folder, { recursive: true });
  }

  /** What dnstap-read says of all frames, with what it leaves out: `extra`. */
  async read(): Promise<(DnstapRecord & { readonly extra: Record<string, unknown> })[]> {
    const file = join(this.#folder, "frames.tap");
    const frames = this.frames.flatMap((frame) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(frame.length);
      return [length, frame];
    });
    await writeFile(file, Buffer.concat([control(2), ...frames, Buffer.from("000000000000000400000003", "hex")]));
    const text = await command("dnstap-read", "-y", file);
    const records = parseAllDocuments(text).map((document) => document.toJS() as DnstapRecord | null);
    const extras = this.frames.map(
      (frame) => JSON.parse(String(dnstapType.decode(frame).extra)) as Record<string, unknown>,
    );
    return records.flatMap((record, index) => (record === null ? [] : [{ ...record, extra: extras[index] ?? {} }]));
  }

  /** All that came, as our own protobuf has it. */
  get messages(): Message__Output[] {
    return this.frames.map((frame) => dnstapType.decode(frame).message as Message__Output);
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let octets: Buffer = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      octets = Buffer.concat([octets, chunk]);
      for (;;) {
        if (octets.length < 4) return;
        const length = octets.readUInt32BE();
        const isControl = length === 0;
        if (isControl && octets.length < 8) return;
        const start = isControl ? 8 : 4;
        const end = start + (isControl ? octets.readUInt32BE(4) : length);
        if (octets.length < end) return;
        const content = octets.subarray(start, end);
        if (isControl) this.#control(socket, content.readUInt32BE());
        else this.frames.push(content);
        octets = octets.subarray(end);
      }
    });
  }

  #control(socket: Socket, type: number): void {
    this.controls.push(type);
    if (type === 4 && this.accepts) socket.write(control(1, this.takes));
    if (type === 3) socket.end(control(5));
  }
}
