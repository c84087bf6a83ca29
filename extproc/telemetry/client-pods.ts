/**
 * Which pods clients are: what workers do not know of them.
 */
import { latin1 } from "../dns/names.ts";
import type { QueryEvent__Output } from "../gen/types/dns/mesh/v1/QueryEvent.ts";

export interface ClientPod {
  /** 4 or 16 octets. */
  readonly address: Uint8Array;
  /** Empty, as `workload`, for one that is no pod's any more. */
  readonly namespace: string;
  readonly workload: string;
}

export class ClientPods {
  readonly #byAddress = new Map<string, ClientPod>();

  change(changed: readonly ClientPod[]): void {
    for (const pod of changed) {
      if (pod.workload === "") this.#byAddress.delete(latin1(pod.address));
      else this.#byAddress.set(latin1(pod.address), pod);
    }
  }

  /** Adds to the event who its client is. */
  name(event: QueryEvent__Output): void {
    if (this.#byAddress.size === 0) return;
    const pod = this.#byAddress.get(latin1(event.client));
    if (pod === undefined) return;
    event.namespace = pod.namespace;
    event.workload = pod.workload;
  }
}
