/**
 * What services of one store tell each other, in annotations of Leases: one of each service.
 */
import type { KubernetesObject, V1Lease } from "@kubernetes/client-node";
import { isNotFound, type KubernetesApi } from "../../kubernetes/api.ts";
import { microTime } from "../../kubernetes/kubernetes-lease.ts";
import { ListWatch } from "../../kubernetes/list-watch.ts";
import type { Clock } from "../clock.ts";
import { type BoardReader, type ReplicaBoard, SILENCE_MS } from "../replicas.ts";

export interface LeaseBoardOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly clock: Clock;
  readonly onFailed: (error: unknown) => void;
}

const LABEL = "dns.mesh/replica";
const ANNOTATION = "dns.mesh/report";
const PREFIX = "dns-policy-replica-";

export class LeaseBoard implements ReplicaBoard {
  readonly #options: LeaseBoardOptions;
  #watch: ListWatch<string> | undefined;

  constructor(options: LeaseBoardOptions) {
    this.#options = options;
  }

  read({ onTold, onGone }: BoardReader): void {
    const { api, clock, onFailed } = this.#options;
    const known = new Set<string>();
    const nameOf = ({ metadata }: KubernetesObject) => (metadata?.name ?? "").slice(PREFIX.length);
    const gone = (name: string): void => {
      known.delete(name);
      onGone(name);
    };
    this.#watch = new ListWatch(api, {
      path: this.#folder,
      selector: { labelSelector: LABEL },
      after: (milliseconds, task) => void clock.after(milliseconds, task),
      keyOf: nameOf,
      onSet: (object) => {
        known.add(nameOf(object));
        onTold(nameOf(object), (object as V1Lease).metadata?.annotations?.[ANNOTATION] ?? "");
      },
      onDelete: (object) => gone(nameOf(object)),
      known: () => new Map([...known].map((name) => [name, name])),
      onGone: gone,
      onFailed,
    });
    this.#watch.start();
  }

  async tell(identity: string, text: string): Promise<void> {
    const { api, clock } = this.#options;
    const name = `${PREFIX}${identity}`;
    const metadata = { name, labels: { [LABEL]: "" }, annotations: { [ANNOTATION]: text } };
    const renewTime = microTime(clock.now());
    const body = { metadata, spec: { holderIdentity: identity, leaseDurationSeconds: SILENCE_MS / 1000, renewTime } };
    try {
      await api.request("PATCH", `${this.#folder}/${name}`, body);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await api.request("POST", this.#folder, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", ...body });
    }
  }

  async remove(identity: string): Promise<void> {
    await this.#options.api.request("DELETE", `${this.#folder}/${PREFIX}${identity}`);
  }

  close(): void {
    this.#watch?.close();
  }

  get #folder(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`;
  }
}
