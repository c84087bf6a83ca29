/**
 * Which addresses tenants were told, of which names, and until when: what their connections are allowed by. In memory it knows
 * all that was answered, whatever a tenant wants to be known of it; on disk goes what nobody minds.
 */

import { foldedName, latin1 } from "../dns/names.ts";
import type { QueryEvent__Output } from "../gen/types/dns/mesh/v1/QueryEvent.ts";
import type { KeptGrant } from "./grant-journal.ts";
import type { GrantedName } from "./questions.ts";

/** Outcome of sync.proto. What a rule that denies answers with is no permission. */
const FORWARDED = 0;
const ANSWERED = 5;

/** Addresses of all tenants, some 400 octets each; where there are more, whoever has most loses the one told longest ago. */
const MAX_ADDRESSES = 200_000;
/** Names of one address: those told last. */
const MAX_NAMES = 16;

interface Grant extends Omit<GrantedName, "qname"> {
  /** Wire format in lower case, one character an octet: octets of the event would keep its whole batch in memory. */
  readonly name: string;
  /** Milliseconds of the wall clock. */
  until: number;
  /** What was told of it to be kept; undefined for what is not to be. */
  kept: number | undefined;
}

/** That much longer it has to last to be told again to be kept: answers from a cache end all at the same time, but for a second. */
const LONGER_MS = 5000;

export interface GrantsOptions {
  readonly maxAddresses?: number;
  /** Told of each that is new, or lasts longer, and may be kept. */
  readonly onGrant?: ((grant: KeptGrant) => void) | undefined;
}

export class Grants {
  readonly #maxAddresses: number;
  readonly #onGrant: (grant: KeptGrant) => void;
  /** By tenant and address; the address that was told last is the last. */
  readonly #tenants = new Map<string, Map<string, Grant[]>>();
  #size = 0;

  constructor({ maxAddresses = MAX_ADDRESSES, onGrant = () => {} }: GrantsOptions = {}) {
    this.#maxAddresses = maxAddresses;
    this.#onGrant = onGrant;
  }

  /** `graceMs`: how much longer than the answer's TTL its addresses count; `keep`: whether its name may be on disk. */
  add(event: QueryEvent__Output, graceMs: number, now: number, keep = true): void {
    const { outcome, answers, tenant } = event;
    if ((outcome !== FORWARDED && outcome !== ANSWERED) || answers.length === 0 || tenant === "") return;
    const { qtype, transport } = event;
    const name = foldedName(event.qname);
    const until = now + event.ttl * 1000 + graceMs;
    for (let at = 0; at < answers.length; at += (answers[at] ?? 0) + 1) {
      const address = latin1(answers.subarray(at + 1, at + 1 + (answers[at] ?? 0)));
      const granted = this.#grant(tenant, address, { name, qtype, transport, until, kept: undefined });
      if (!keep || granted.until < (granted.kept ?? 0) + LONGER_MS) continue;
      granted.kept = granted.until;
      this.#onGrant({ tenant, address, name, qtype, transport, until: granted.until });
    }
  }

  /** Of a run before this one. */
  restore({ tenant, address, name, qtype, transport, until }: KeptGrant): void {
    this.#grant(tenant, address, { name, qtype, transport, until, kept: until });
  }

  /** All that may be kept. */
  *toKeep(): Generator<KeptGrant> {
    for (const [tenant, addresses] of this.#tenants) {
      for (const [address, grants] of addresses) {
        for (const { name, qtype, transport, until, kept } of grants) {
          if (kept !== undefined) yield { tenant, address, name, qtype, transport, until };
        }
      }
    }
  }

  /** Names by which the tenant knows this address, the one told last first. */
  namesOf(tenant: string, address: Uint8Array, now: number): GrantedName[] {
    const grants = this.#tenants.get(tenant)?.get(latin1(address)) ?? [];
    return grants
      .filter(({ until }) => until > now)
      .map(({ name, qtype, transport }) => ({ qname: Uint8Array.from(Buffer.from(name, "latin1")), qtype, transport }))
      .reverse();
  }

  expire(now: number): void {
    for (const [tenant, addresses] of this.#tenants) {
      for (const [address, grants] of addresses) {
        if (grants.every(({ until }) => until <= now)) this.#forget(tenant, addresses, address);
      }
    }
  }

  clear(): void {
    this.#tenants.clear();
    this.#size = 0;
  }

  get size(): number {
    return this.#size;
  }

  #grant(tenant: string, address: string, grant: Grant): Grant {
    let addresses = this.#tenants.get(tenant);
    if (addresses === undefined) {
      addresses = new Map();
      this.#tenants.set(tenant, addresses);
    }
    const before = addresses.get(address);
    const same = before?.find(({ name, qtype }) => name === grant.name && qtype === grant.qtype);
    // An answer from the cache has what is left of the TTL of one before it.
    const granted = { ...grant, until: Math.max(grant.until, same?.until ?? 0), kept: same?.kept ?? grant.kept };
    const others = before?.filter((other) => other !== same) ?? [];
    addresses.delete(address);
    addresses.set(address, [...others.slice(1 - MAX_NAMES), granted]);
    if (before !== undefined) return granted;
    this.#size++;
    if (this.#size > this.#maxAddresses) this.#makeRoom();
    return granted;
  }

  #makeRoom(): void {
    const [most] = [...this.#tenants].sort(([, a], [, b]) => b.size - a.size);
    if (most === undefined) return;
    const [tenant, addresses] = most;
    const [oldest] = addresses.keys();
    if (oldest !== undefined) this.#forget(tenant, addresses, oldest);
  }

  #forget(tenant: string, addresses: Map<string, Grant[]>, address: string): void {
    addresses.delete(address);
    this.#size--;
    if (addresses.size === 0) this.#tenants.delete(tenant);
  }
}
