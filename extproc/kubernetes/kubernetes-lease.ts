/**
 * Leading by a Lease of coordination.k8s.io: as Kubernetes' own controllers choose theirs.
 *
 * Nobody's clock is compared with another's: a Lease is free when it has not changed for its whole duration, as seen from
 * here.
 */
import type { V1Lease } from "@kubernetes/client-node";
import { LEASE_SECONDS, type Lease } from "../leadership.ts";
import type { Clock } from "../server/clock.ts";
import { isConflict, isNotFound, type KubernetesApi } from "./api.ts";

export interface KubernetesLeaseOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly name: string;
  /** Who this is, for people and for the Lease. */
  readonly identity: string;
  readonly clock: Clock;
}

export class KubernetesLease implements Lease {
  readonly #options: KubernetesLeaseOptions;
  /** The Lease as it was seen last, and since when it has been that. */
  #seen = { version: "", since: 0 };

  constructor(options: KubernetesLeaseOptions) {
    this.#options = options;
  }

  async take(): Promise<boolean> {
    const lease = await this.#read();
    return this.#isFree(lease) && (await this.#write(lease));
  }

  async release(): Promise<void> {
    const lease = await this.#read();
    if (lease?.spec?.holderIdentity !== this.#options.identity) return;
    const body = { ...lease, spec: { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 } };
    await this.#options.api.request("PUT", this.#path, body);
  }

  get #path(): string {
    const { namespace, name } = this.#options;
    return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;
  }

  async #read(): Promise<V1Lease | undefined> {
    try {
      return await this.#options.api.get<V1Lease>(this.#path);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #isFree(lease: V1Lease | undefined): boolean {
    const { identity, clock } = this.#options;
    const version = lease?.metadata?.resourceVersion ?? "";
    if (version !== this.#seen.version) this.#seen = { version, since: clock.elapsed() };
    const holder = lease?.spec?.holderIdentity ?? "";
    if (holder === "" || holder === identity) return true;
    const durationMs = (lease?.spec?.leaseDurationSeconds ?? LEASE_SECONDS) * 1000;
    return clock.elapsed() - this.#seen.since > durationMs;
  }

  /** False where somebody else was faster. */
  async #write(lease: V1Lease | undefined): Promise<boolean> {
    const { api, namespace, name, identity, clock } = this.#options;
    const now = microTime(clock.now());
    const mine = lease?.spec?.holderIdentity === identity;
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: LEASE_SECONDS,
      acquireTime: mine ? lease?.spec?.acquireTime : now,
      renewTime: now,
      leaseTransitions: (lease?.spec?.leaseTransitions ?? 0) + (mine || lease === undefined ? 0 : 1),
    };
    const metadata = { name, namespace, resourceVersion: lease?.metadata?.resourceVersion };
    const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
    try {
      if (lease === undefined) await api.request("POST", this.#path.slice(0, -name.length - 1), body);
      else await api.request("PUT", this.#path, body);
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }
}

/** MicroTime of meta/v1. */
export function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace("Z", "000Z");
}
