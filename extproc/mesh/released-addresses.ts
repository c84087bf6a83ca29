/**
 * Virtual addresses that were given back of late, written down by the one service that gives them: so they are nobody
 * else's for a while, also after all services have been started anew.
 */
import { isConflict, type KubernetesApi } from "../kubernetes/api.ts";
import { StoredOctets } from "../kubernetes/stored-octets.ts";
import type { ReleasedAddress, VirtualAddresses } from "./virtual-addresses.ts";

export interface ReleasedAddressesOptions {
  readonly api: Pick<KubernetesApi, "request">;
  /** Of the services themselves. */
  readonly namespace: string;
  readonly given: VirtualAddresses;
}

/** The newest: what a ConfigMap has room for. */
const MAX_KEPT = 20_000;

export class ReleasedAddresses {
  readonly #given: VirtualAddresses;
  readonly #stored: StoredOctets;
  /** What is written, and as which version; undefined until it is read. */
  #written: { readonly text: string; readonly version: string | undefined } | undefined;

  constructor({ api, namespace, given }: ReleasedAddressesOptions) {
    this.#given = given;
    this.#stored = new StoredOctets({
      api,
      namespace,
      name: "dns-policy-released-addresses",
      key: "released.jsonl.gz",
    });
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
    this.#written = { text, version: stored?.resourceVersion };
  }

  /** Writes down what was given back. */
  async write(): Promise<void> {
    await this.read();
    const released = [...this.#given.released()].sort((a, b) => b.released - a.released).slice(0, MAX_KEPT);
    const text = released.map((one) => `${JSON.stringify(one)}\n`).join("");
    if (text === this.#written?.text) return;
    try {
      this.#written = { text, version: await this.#stored.write(Buffer.from(text), this.#written?.version) };
    } catch (error) {
      if (isConflict(error)) this.forget();
      throw error;
    }
  }
}
