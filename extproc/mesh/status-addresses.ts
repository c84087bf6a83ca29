/**
 * Virtual addresses in statuses of ServiceEntries of a Kubernetes API, as Istio 1.24 and later write them.
 */
import { isNotFound, type KubernetesApi } from "../kubernetes/api.ts";
import { ConfigMapOctets } from "../kubernetes/config-map-octets.ts";
import { FOREIGN_KINDS } from "../resources/foreign-kinds.ts";
import type { AddressBook, HostAddress, OctetStore } from "./address-book.ts";

export class StatusAddresses implements AddressBook {
  readonly released: OctetStore;
  readonly #api: Pick<KubernetesApi, "request">;

  /** `namespace`: of the services themselves. */
  constructor(api: Pick<KubernetesApi, "request">, namespace: string) {
    this.#api = api;
    const [name, key] = ["dns-policy-released-addresses", "released.jsonl.gz"];
    this.released = new ConfigMapOctets({ api, namespace, name, key });
  }

  /** A leader waits for a moment before it gives the first; the watch has told by then. */
  async caughtUp(): Promise<void> {}

  async write(namespace: string, name: string, addresses: readonly HostAddress[]): Promise<void> {
    const [version] = FOREIGN_KINDS.ServiceEntry.apiVersions;
    const url = `/apis/${version}/namespaces/${namespace}/serviceentries/${name}/status`;
    try {
      await this.#api.request("PATCH", url, { status: { addresses } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** A status goes with its object. */
  async retain(): Promise<void> {}
}
