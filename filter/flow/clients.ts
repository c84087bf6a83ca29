// What each client address has under way, so that no client can take what others need: connections, waiting queries,
// decisions. An address is known here only while it has something; an IPv6 client is its /64.

import { WaitList } from "../cache/wait-list";
import { random64 } from "../host/host";
import { Peer } from "../transport/peer";
import { mix } from "../wire/name";

export class Client {
  high: u64 = 0;
  low: u64 = 0;
  connections: u32 = 0;
  pending: u32 = 0;
  decisions: u32 = 0;
  /** Queries whose decision has to wait for others of this client. */
  readonly waiting: WaitList = new WaitList();
  /** Whether it stands in the list of clients with such queries. */
  listed: bool = false;
  next: Client | null = null;
}

const BUCKETS: u32 = 16384;

@final
export class Clients {
  private readonly buckets: StaticArray<Client | null> = new StaticArray<Client | null>(BUCKETS);
  private readonly pool: Array<Client> = new Array<Client>();
  /** So that nobody can choose addresses that collide. */
  private readonly seed: u64 = random64();

  /** The client at the peer's address. */
  of(peer: Peer): Client {
    const low = peer.isIPv4 ? peer.low : 0;
    const bucket = this.bucket(peer.high, low);
    let client = unchecked(this.buckets[bucket]);
    while (client !== null) {
      if (client.high == peer.high && client.low == low) return client;
      client = client.next;
    }
    const added = this.pool.length > 0 ? this.pool.pop() : new Client();
    added.high = peer.high;
    added.low = low;
    added.next = unchecked(this.buckets[bucket]);
    unchecked((this.buckets[bucket] = added));
    return added;
  }

  /** Forgets a client that has nothing under way any more. */
  settle(client: Client): void {
    if (client.connections != 0 || client.pending != 0 || client.decisions != 0 || client.listed) return;
    const bucket = this.bucket(client.high, client.low);
    let before: Client | null = null;
    let at = unchecked(this.buckets[bucket]);
    while (at !== null && at !== client) {
      before = at;
      at = at.next;
    }
    if (at === null) return;
    if (before !== null) before.next = client.next;
    else unchecked((this.buckets[bucket] = client.next));
    client.next = null;
    this.pool.push(client);
  }

  private bucket(high: u64, low: u64): u32 {
    return <u32>(mix(mix(this.seed, high), low) >> 32) & (BUCKETS - 1);
  }
}
