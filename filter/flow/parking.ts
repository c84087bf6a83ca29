// Counting what waits: a query that has to wait is parked, within the limits of its client, its tenant and the worker,
// and so are the octets of an answer that it holds meanwhile;
// and a decision takes a slot of its client and its subject, or waits until one is given back.

import { Waiter, WaitList } from "../cache/wait-list";
import { MAX_TENANTS } from "../telemetry/tenants";
import { limitsOf } from "../verdict/tenant-limits";
import { Verdict } from "../verdict/verdict";
import { Client, Clients } from "./clients";
import { Query } from "./query";
import { Settings } from "./settings";

/** Subjects are numbered from 1. The classes of one tenant have the last 12 bits in common, and share a count. */
const SUBJECTS: u32 = 4096;

function rowOf(subject: u64): u32 {
  return <u32>subject & (SUBJECTS - 1);
}

@final
export class Parking {
  /** Queries that wait in this worker. */
  count: u32 = 0;
  /** What a query gets that `park` has refused, where that is for its tenant to say. */
  denial: Verdict | null = null;
  private readonly tenants: StaticArray<u32> = new StaticArray<u32>(MAX_TENANTS + 2);
  /** Octets of answers that are held. */
  private octets: u32 = 0;
  private readonly tenantOctets: StaticArray<u32> = new StaticArray<u32>(MAX_TENANTS + 2);

  constructor(
    private readonly clients: Clients,
    private readonly settings: Settings,
  ) {}

  /** Counts the query and lets it outlive its connection; false where a limit is reached. */
  park(query: Query): bool {
    this.denial = null;
    const tenant = query.peer.tenant;
    if (query.client !== null) return query.countedTenant == tenant || this.recount(query, tenant);
    const settings = this.settings;
    if (this.count >= settings.pendingPerWorker || this.isFull(tenant)) return false;
    const client = this.clients.of(query.peer);
    if (client.pending >= settings.pendingPerClient) return false;
    client.pending++;
    this.count++;
    unchecked((this.tenants[tenant] += 1));
    query.client = client;
    query.countedTenant = tenant;
    if (query.peer !== query.ownPeer) {
      query.ownPeer.copyPeer(query.peer);
      query.peer = query.ownPeer;
    }
    return true;
  }

  /** The query has waited to hear whose it is. */
  private recount(query: Query, tenant: u32): bool {
    if (this.isFull(tenant)) return false;
    this.letGo(query);
    unchecked((this.tenants[query.countedTenant] -= 1));
    unchecked((this.tenants[tenant] += 1));
    query.countedTenant = tenant;
    return true;
  }

  /** Counts the octets of the answer that a parked query holds; false where too many are held. */
  hold(query: Query): bool {
    this.letGo(query);
    const answer = query.answer;
    if (answer === null) return true;
    const settings = this.settings;
    const tenant = query.countedTenant;
    const held = unchecked(this.tenantOctets[tenant]);
    if (this.octets + answer.size > settings.pendingBytesPerWorker) return false;
    if (held + answer.size > settings.pendingBytesPerTenant) return false;
    this.octets += answer.size;
    unchecked((this.tenantOctets[tenant] = held + answer.size));
    query.countedOctets = answer.size;
    return true;
  }

  private letGo(query: Query): void {
    this.octets -= query.countedOctets;
    unchecked((this.tenantOctets[query.countedTenant] -= query.countedOctets));
    query.countedOctets = 0;
  }

  private isFull(tenant: u32): bool {
    const waiting = unchecked(this.tenants[tenant]);
    const limits = limitsOf(tenant);
    if (limits !== null && limits.pending != 0 && waiting >= this.settings.partOf(limits.pending)) {
      this.denial = limits.denial;
      return true;
    }
    return waiting >= this.settings.pendingPerTenant;
  }

  unpark(query: Query): void {
    const client = query.client;
    if (client === null) return;
    query.client = null;
    client.pending--;
    this.count--;
    this.letGo(query);
    unchecked((this.tenants[query.countedTenant] -= 1));
    this.clients.settle(client);
  }
}

@final
export class DecisionSlots {
  private readonly subjects: StaticArray<u32> = new StaticArray<u32>(SUBJECTS);
  /** Clients with queries that wait for a slot, in turn. */
  private readonly listed: Array<Client> = new Array<Client>();
  private count: u32 = 0;

  constructor(
    private readonly clients: Clients,
    private readonly settings: Settings,
  ) {}

  /** `subject` is 0 where it is not known yet. */
  take(client: Client, subject: u64): bool {
    const settings = this.settings;
    const row = rowOf(subject);
    if (this.count >= settings.decisionsPerWorker || client.decisions >= settings.decisionsPerClient) return false;
    if (subject != 0 && unchecked(this.subjects[row]) >= settings.decisionsPerTenant) return false;
    this.count++;
    client.decisions++;
    unchecked((this.subjects[row] += 1));
    return true;
  }

  give(client: Client, subject: u64): void {
    this.count--;
    client.decisions--;
    unchecked((this.subjects[rowOf(subject)] -= 1));
    this.clients.settle(client);
  }

  wait(client: Client, query: Query): void {
    client.waiting.push(query);
    if (client.listed) return;
    client.listed = true;
    this.listed.push(client);
  }

  /** The longest waiting query of `client`, if the client may ask again; null otherwise. */
  next(client: Client): Query | null {
    if (client.decisions >= this.settings.decisionsPerClient || this.count >= this.settings.decisionsPerWorker)
      return null;
    const waiter = client.waiting.shift();
    return waiter === null ? null : changetype<Query>(waiter);
  }

  /** Clients that wait; `client(i)` for i from the last to the first, since `settled` takes clients out. */
  get waitingClients(): i32 {
    return this.listed.length;
  }

  client(i: i32): Client {
    return unchecked(this.listed[i]);
  }

  /** Takes the client at `i` out of the list if nothing of it waits any more. */
  settled(i: i32): void {
    const client = unchecked(this.listed[i]);
    if (!client.waiting.isEmpty) return;
    client.listed = false;
    const last = this.listed.pop();
    if (i < this.listed.length) unchecked((this.listed[i] = last));
    this.clients.settle(client);
  }
}

/** The first waiter if it was received before `time`, taken out of the list; null otherwise. */
export function takeOlder(list: WaitList, time: u64): Query | null {
  const first: Waiter | null = list.first;
  if (first === null || changetype<Query>(first).receivedAt >= time) return null;
  list.shift();
  return changetype<Query>(first);
}
