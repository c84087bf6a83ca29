/**
 * The audit log: lines into a file that somebody may rotate, each on disk before its request is answered.
 */
import { type FileHandle, open } from "node:fs/promises";

export class AuditFile {
  readonly #path: string;
  readonly #onError: (error: Error) => void;
  #file: FileHandle;
  #last: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileHandle, onError: (error: Error) => void) {
    this.#path = path;
    this.#file = file;
    this.#onError = onError;
  }

  /** Rejects for a file that cannot be written. */
  static async open(path: string, onError: (error: Error) => void): Promise<AuditFile> {
    return new AuditFile(path, await openFile(path), onError);
  }

  /** In the order of the calls. A line that cannot be written is an error that is told, and no reason to stop. */
  write(line: string): Promise<void> {
    return this.#inTurn(async () => {
      await this.#file.appendFile(`${line}\n`);
      await this.#file.datasync();
    });
  }

  /** Goes on in a new file of the same name, after the old one was moved away. */
  reopen(): Promise<void> {
    return this.#inTurn(async () => {
      const fresh = await openFile(this.#path);
      await this.#file.close();
      this.#file = fresh;
    });
  }

  close(): Promise<void> {
    return this.#inTurn(() => this.#file.close());
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(task).catch(this.#onError);
    return this.#last;
  }
}

function openFile(path: string): Promise<FileHandle> {
  return open(path, "a", 0o600);
}
