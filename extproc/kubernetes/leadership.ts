/**
 * One of several that leads, by a Lease of coordination.k8s.io: as Kubernetes' own controllers choose theirs.
 *
 * Who leads writes so every two seconds, and stops to lead by its own clock before anybody else may begin, whether or not
 * it hears from the API. Nobody's clock is compared with another's: a Lease is free when it has not changed for its
 * whole duration, as seen from here.
 */
import type { V1Lease } from "@kubernetes/client-node";
import type { Clock } from "../server/clock.ts";
import { isConflict, isNotFound, type KubernetesApi } from "./api.ts";

export interface LeadershipOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly name: string;
  /** Who this is, for people and for the Lease. */
  readonly identity: string;
  readonly clock: Clock;
  readonly onChange: (leads: boolean) => void;
  /** It leads for so long from now on, whatever becomes of the API; called again with every Lease that was written. */
  readonly onRenewed?: (milliseconds: number) => void;
  /** The API cannot be reached, or refuses; told once until it answers again. */
  readonly onFailed: (error: unknown) => void;
}

const DURATION_S = 10;
const RETRY_MS = 2000;
/** After the last Lease that was written, counted from before it was asked for. */
const LEAD_MS = 7000;

export class Leadership {
  readonly #options: LeadershipOptions;
  #leads = false;
  #failing = false;
  #closed = false;
  /** The Lease as it was seen last, and since when it has been that. */
  #seen = { version: "", since: 0 };
  #cancelEnd: () => void = () => {};
  #cancelNext: () => void = () => {};
  #asking: Promise<void> = Promise.resolve();

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  get leads(): boolean {
    return this.#leads;
  }

  start(): void {
    this.#asking = this.#ask().then(() => {
      if (!this.#closed) this.#cancelNext = this.#options.clock.after(RETRY_MS, () => this.start());
    });
  }

  /** Lets another lead at once. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelNext();
    await this.#asking;
    const led = this.#leads;
    this.#end();
    if (led) await this.#release().catch(() => {});
  }

  get #path(): string {
    const { namespace, name } = this.#options;
    return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;
  }

  async #ask(): Promise<void> {
    const { clock, onFailed } = this.#options;
    const begun = clock.elapsed();
    try {
      const lease = await this.#read();
      if (this.#mayTake(lease) && !this.#closed && (await this.#take(lease))) this.#lead(begun);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) onFailed(error);
      this.#failing = true;
    }
  }

  async #read(): Promise<V1Lease | undefined> {
    try {
      return await this.#options.api.get<V1Lease>(this.#path);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #mayTake(lease: V1Lease | undefined): boolean {
    const { identity, clock } = this.#options;
    const version = lease?.metadata?.resourceVersion ?? "";
    if (version !== this.#seen.version) this.#seen = { version, since: clock.elapsed() };
    const holder = lease?.spec?.holderIdentity ?? "";
    if (holder === "" || holder === identity) return true;
    const durationMs = (lease?.spec?.leaseDurationSeconds ?? DURATION_S) * 1000;
    return clock.elapsed() - this.#seen.since > durationMs;
  }

  /** False where somebody else was faster. */
  async #take(lease: V1Lease | undefined): Promise<boolean> {
    const { api, namespace, name, identity, clock } = this.#options;
    const now = microTime(clock.now());
    const mine = lease?.spec?.holderIdentity === identity;
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: DURATION_S,
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

  #lead(begun: number): void {
    const { clock, onChange, onRenewed } = this.#options;
    this.#cancelEnd();
    const left = begun + LEAD_MS - clock.elapsed();
    if (left <= 0) {
      this.#end();
      return;
    }
    this.#cancelEnd = clock.after(left, () => this.#end());
    onRenewed?.(left);
    if (this.#leads) return;
    this.#leads = true;
    onChange(true);
  }

  #end(): void {
    this.#cancelEnd();
    if (!this.#leads) return;
    this.#leads = false;
    this.#options.onChange(false);
  }

  async #release(): Promise<void> {
    const lease = await this.#read();
    if (lease?.spec?.holderIdentity !== this.#options.identity) return;
    const body = { ...lease, spec: { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 } };
    await this.#options.api.request("PUT", this.#path, body);
  }
}

/** MicroTime of meta/v1. */
function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace("Z", "000Z");
}
