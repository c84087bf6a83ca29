// Which subject a client is, by address block and evidence: the client half of a verdict's scope. Blocks with the same
// evidence never overlap within a revision, so the first that is found is the one.

import { Node, S3Fifo } from "../cache/s3-fifo";
import { Peer } from "../transport/peer";
import { mix } from "../wire/name";

@unmanaged
class Entry extends Node {
  high: u64;
  low: u64;
  subject: u64;
  evidence: u32;
  /** Of the address as an IPv6 number. */
  prefix: u32;
  tenant: u32;
  isIPv4: bool;
}

const HEAD: u32 = <u32>((offsetof<Entry>() + 7) & ~7);
const IPV4_BITS: u32 = 96;
const BITS: u32 = 128;

@final
export class ClientTable extends S3Fifo {
  /** Grows with every revision, and whenever clients may be somebody else; what was learnt in an older epoch is not used. */
  epoch: u32 = 1;
  /** The epoch in which the revision in force began. */
  revised: u32 = 1;
  /** Revision.evidence: what can make a difference to a client's subject. */
  private relevant: u32 = 0;
  /** How many blocks of each length are known, by family: lengths that are not in use need no look-up. */
  private readonly lengths4: StaticArray<u32> = new StaticArray<u32>(BITS + 1);
  private readonly lengths6: StaticArray<u32> = new StaticArray<u32>(BITS + 1);

  /** The peer's subject, 0 where it is not known. Remembered in the peer. */
  find(peer: Peer): u64 {
    if (peer.subjectEpoch == this.epoch) return peer.subject;
    const evidence = peer.evidence;
    if (evidence === null) return 0;
    const shown = evidence.numberOf(this.relevant);
    const lengths = peer.isIPv4 ? this.lengths4 : this.lengths6;
    for (let prefix: i32 = BITS; prefix >= 0; prefix--) {
      if (unchecked(lengths[prefix]) == 0) continue;
      const high = maskHigh(peer.high, prefix);
      const low = maskLow(peer.low, prefix);
      const hash = hashOf(shown, high, low, prefix, peer.isIPv4);
      let node = this.first(hash);
      while (node !== null) {
        const entry = changetype<Entry>(node);
        if (
          entry.hash == hash &&
          entry.high == high &&
          entry.low == low &&
          entry.prefix == <u32>prefix &&
          entry.evidence == shown
        ) {
          this.touch(entry);
          peer.subject = entry.subject;
          peer.tenant = entry.tenant;
          peer.subjectEpoch = this.epoch;
          return entry.subject;
        }
        node = node.next;
      }
    }
    return 0;
  }

  /** The block of `prefix` bits (of the client's family) around the peer is `subject`, of `tenant`. */
  put(peer: Peer, prefix: u32, subject: u64, tenant: u32): void {
    const evidence = peer.evidence;
    const base = peer.isIPv4 ? IPV4_BITS : 0;
    if (evidence === null || prefix > BITS - base || this.find(peer) != 0) return;
    const bits = base + prefix;
    const shown = evidence.numberOf(this.relevant);
    const entry = changetype<Entry>(heap.alloc(HEAD));
    entry.high = maskHigh(peer.high, bits);
    entry.low = maskLow(peer.low, bits);
    entry.hash = hashOf(shown, entry.high, entry.low, bits, peer.isIPv4);
    entry.size = HEAD;
    entry.evidence = shown;
    entry.prefix = bits;
    entry.subject = subject;
    entry.tenant = tenant;
    entry.isIPv4 = peer.isIPv4;
    const lengths = peer.isIPv4 ? this.lengths4 : this.lengths6;
    unchecked((lengths[bits] += 1));
    this.insert(entry);
    peer.subject = subject;
    peer.tenant = tenant;
    peer.subjectEpoch = this.epoch;
  }

  /** A new revision: nobody's subject is known. `relevant`: its Revision.evidence. */
  forget(relevant: u32): void {
    this.clear();
    this.relevant = relevant;
    this.revised = ++this.epoch;
  }

  /** A new revision, by which everybody is who they were. */
  renew(): void {
    this.revised = ++this.epoch;
  }

  /** By the same revision, any client may be somebody else. */
  forgetClients(): void {
    this.clear();
    this.epoch++;
  }

  protected free(node: Node): void {
    const entry = changetype<Entry>(node);
    const lengths = entry.isIPv4 ? this.lengths4 : this.lengths6;
    unchecked((lengths[entry.prefix] -= 1));
    heap.free(changetype<usize>(node));
  }
}

function maskHigh(high: u64, prefix: u32): u64 {
  if (prefix >= 64) return high;
  return prefix == 0 ? 0 : high & ((<u64>-1) << (64 - prefix));
}

function maskLow(low: u64, prefix: u32): u64 {
  if (prefix >= 128) return low;
  return prefix <= 64 ? 0 : low & ((<u64>-1) << (128 - prefix));
}

function hashOf(evidence: u32, high: u64, low: u64, prefix: u32, isIPv4: bool): u64 {
  return mix(mix(mix(mix(evidence, high), low), prefix), <u64>isIPv4);
}
