/**
 * What services of one store tell each other, in keys of etcd: one of each service, which goes when nobody keeps it.
 */
import type { Etcd } from "../../etcd/etcd.ts";
import { KeyWatch } from "../../etcd/key-watch.ts";
import type { Clock } from "../clock.ts";
import { type BoardReader, type ReplicaBoard, SILENCE_MS } from "../replicas.ts";

export interface KeyBoardOptions {
  readonly etcd: Etcd;
  readonly clock: Clock;
  readonly onFailed: (error: unknown) => void;
}

const FOLDER = "replicas/";

export class KeyBoard implements ReplicaBoard {
  readonly #options: KeyBoardOptions;
  #watch: KeyWatch | undefined;
  #lease: string | undefined;

  constructor(options: KeyBoardOptions) {
    this.#options = options;
  }

  read({ onTold, onGone }: BoardReader): void {
    const { etcd, clock, onFailed } = this.#options;
    this.#watch = new KeyWatch(etcd, {
      folder: FOLDER,
      after: (milliseconds, task) => clock.after(milliseconds, task),
      onChange: (set, gone) => {
        for (const { key, value } of set) onTold(key.slice(FOLDER.length), value.toString());
        for (const key of gone) onGone(key.slice(FOLDER.length));
      },
      onFailed,
    });
  }

  async tell(identity: string, text: string): Promise<void> {
    const { etcd } = this.#options;
    if (this.#lease !== undefined && !(await etcd.keep(this.#lease))) this.#lease = undefined;
    this.#lease ??= await etcd.grant(SILENCE_MS / 1000);
    await etcd.change([], [{ put: `${FOLDER}${identity}`, value: text, lease: this.#lease }]);
  }

  async remove(identity: string): Promise<void> {
    await this.#options.etcd.change([], [{ delete: `${FOLDER}${identity}` }]);
  }

  close(): void {
    this.#watch?.close();
  }
}
