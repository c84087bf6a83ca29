/**
 * Virtual addresses that were given back of late, written down by the one service that gives them: so they are nobody
 * else's for a while, also after all services have been started anew.
 */
import type { OctetStore } from "./address-book.ts";
import type { ReleasedAddress, VirtualAddresses } from "./virtual-addresses.ts";

/** The newest: what a ConfigMap, or a key of etcd, has room for. */
const MAX_KEPT = 20_000;

export class ReleasedAddresses {
  readonly #given: VirtualAddresses;
  readonly #stored: OctetStore;
  /** What is written, and as which version; undefined until it is read. */
  #written: { readonly text: string; readonly version: string | undefined } | undefined;
  #writing = Promise.resolve();

  constructor(stored: OctetStore, given: VirtualAddresses) {
    this.#stored = stored;
    this.#given = given;
  }

  /** Another may have written since. */
  forget(): void {
    this.#written = undefined;
  }

  /** What was given back while another gave addresses is known here, too, once this is resolved. */
  async read(): Promise<void> {
    if (this.#written !== undefined) return;
    const stored = await this.#stored.read();
    const text = stored?.octets.toString("utf8") ?? "";
    this.#given.restore(
      text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as ReleasedAddress),
    );
    this.#written = { text, version: stored?.version };
  }

  /** Writes down what was given back, after what is being written: a slow store would see two writers in one. */
  async write(): Promise<void> {
    this.#writing = this.#writing.catch(() => {}).then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    await this.read();
    const released = [...this.#given.released()].sort((a, b) => b.released - a.released).slice(0, MAX_KEPT);
    const text = released.map((one) => `${JSON.stringify(one)}\n`).join("");
    if (text === this.#written?.text) return;
    try {
      this.#written = { text, version: await this.#stored.write(Buffer.from(text), this.#written?.version) };
    } catch (error) {
      this.forget();
      throw error;
    }
  }
}
