/**
 * Leading by a key of etcd that has a lease: it goes with the lease, and nobody writes it while it is there.
 */
import { LEASE_SECONDS, type Lease } from "../leadership.ts";
import { ABSENT, type Etcd } from "./etcd.ts";

export interface EtcdLeaseOptions {
  readonly etcd: Etcd;
  readonly key: string;
  /** Who this is, for people. */
  readonly identity: string;
}

export class EtcdLease implements Lease {
  readonly #options: EtcdLeaseOptions;
  #lease: string | undefined;

  constructor(options: EtcdLeaseOptions) {
    this.#options = options;
  }

  async take(): Promise<boolean> {
    const { etcd, key, identity } = this.#options;
    if (this.#lease !== undefined && !(await etcd.keep(this.#lease))) this.#lease = undefined;
    this.#lease ??= await etcd.grant(LEASE_SECONDS);
    // With the lease in it: a key of a lease that has ended may be there for a moment more.
    const value = `${identity} ${this.#lease}`;
    await etcd.change([{ key, revision: ABSENT }], [{ put: key, value, lease: this.#lease }]);
    return (await etcd.get(key))?.value.toString() === value;
  }

  async release(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease !== undefined) await this.#options.etcd.revoke(lease);
  }
}
