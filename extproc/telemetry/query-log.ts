/**
 * The query log: lines into a file that somebody may rotate, or into a stream, and never more in memory than a bound.
 */
import { createWriteStream } from "node:fs";
import type { Writable } from "node:stream";

export interface QueryLog {
  /** Takes one line, without its line feed. False where it was dropped. */
  write(line: string): boolean;
  /** Goes on in a new file of the same name, after the old one was moved away. */
  reopen(): void;
  /** Resolved when everything that was taken is written, or cannot be. */
  close(): Promise<void>;
}

/** A service without a query log. */
export const noQueryLog: QueryLog = { write: () => true, reopen: () => {}, close: async () => {} };

/** Bytes that may wait for the disk. */
const MAX_WAITING = 8 * 2 ** 20;
/** Lines are written in pieces of about this size. */
const PIECE = 64 * 1024;

export interface QueryLogOptions {
  /** Opens the file, or gives the stream, anew. */
  readonly open: () => Writable;
  readonly onError: (error: Error) => void;
  readonly maxWaiting?: number;
  /** False for a stream that others use too. */
  readonly owned?: boolean;
}

/** Only the owner may read what clients have asked for. */
export function fileLog(path: string, onError: (error: Error) => void): QueryLog {
  return new StreamLog({ open: () => createWriteStream(path, { flags: "a", mode: 0o600 }), onError, owned: true });
}

export class StreamLog implements QueryLog {
  readonly #options: QueryLogOptions;
  #stream: Writable;
  #piece: string[] = [];
  #pieceLength = 0;
  /** Given to the stream, and not yet written. */
  #writing = 0;
  #scheduled = false;
  #closed = false;

  constructor(options: QueryLogOptions) {
    this.#options = options;
    this.#stream = this.#open();
  }

  write(line: string): boolean {
    const limit = this.#options.maxWaiting ?? MAX_WAITING;
    if (this.#closed || this.#stream.destroyed || this.#writing + this.#pieceLength + line.length > limit) return false;
    this.#piece.push(line);
    this.#pieceLength += line.length + 1;
    if (this.#pieceLength >= PIECE) this.#flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#flush();
      });
    }
    return true;
  }

  reopen(): void {
    if (this.#closed || this.#options.owned !== true) return;
    this.#flush();
    this.#stream.end();
    this.#stream = this.#open();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    const stream = this.#stream;
    if (stream.destroyed || stream.writableFinished) return;
    await new Promise<void>((resolve) => {
      stream.once("error", () => resolve());
      if (this.#options.owned === true) stream.end(() => resolve());
      else stream.write("", () => resolve());
    });
  }

  #open(): Writable {
    const stream = this.#options.open();
    stream.on("error", (error: Error) => this.#options.onError(error));
    return stream;
  }

  #flush(): void {
    if (this.#piece.length === 0) return;
    const text = `${this.#piece.join("\n")}\n`;
    this.#piece = [];
    this.#pieceLength = 0;
    this.#writing += text.length;
    // A stream that has failed calls back with its error at once: what comes is lost, and memory is not.
    this.#stream.write(text, () => {
      this.#writing -= text.length;
    });
  }
}
