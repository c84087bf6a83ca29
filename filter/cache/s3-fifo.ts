// The store under both caches: a hash table of blocks of any kind, bounded in octets, that keeps what is asked for again
// while a scan of names passes through. Eviction is S3-FIFO (Yang et al., "FIFO queues are all you need for cache
// eviction", SOSP 2023): a small queue for newcomers, a main queue for what was asked for again, and a ghost table of
// names that left the small queue.

/** Head of every block that is kept. The rest of the block is the cache's own. */
@unmanaged
export class Node {
  hash: u64;
  next: Node | null;
  older: Node | null;
  newer: Node | null;
  /** Octets that this block is counted with. */
  size: u32;
  frequency: u8;
  queue: u8;
}

const SMALL: u8 = 1;
const MAIN: u8 = 2;
const MAX_FREQUENCY: u8 = 3;
/** One in this many octets is for newcomers. */
const SMALL_SHARE: usize = 10;
/** Octets a block is expected to have: one bucket for each. */
const EXPECTED_SIZE: usize = 512;
const MIN_BUCKETS: usize = 1024;

@final
class Queue {
  oldest: Node | null = null;
  newest: Node | null = null;
  bytes: usize = 0;

  push(node: Node): void {
    node.older = this.newest;
    node.newer = null;
    const newest = this.newest;
    if (newest !== null) newest.newer = node;
    else this.oldest = node;
    this.newest = node;
    this.bytes += node.size;
  }

  take(node: Node): void {
    const older = node.older;
    const newer = node.newer;
    if (older !== null) older.newer = newer;
    else this.oldest = newer;
    if (newer !== null) newer.older = older;
    else this.newest = older;
    this.bytes -= node.size;
  }
}

export abstract class S3Fifo {
  private readonly buckets: StaticArray<usize>;
  private readonly ghosts: StaticArray<u32>;
  private readonly mask: u64;
  private readonly small: Queue = new Queue();
  private readonly main: Queue = new Queue();
  count: u32 = 0;
  evictions: u64 = 0;

  constructor(private budget: usize) {
    let buckets = MIN_BUCKETS;
    while (buckets * EXPECTED_SIZE < budget) buckets <<= 1;
    this.buckets = new StaticArray<usize>(<i32>buckets);
    this.ghosts = new StaticArray<u32>(<i32>buckets);
    this.mask = buckets - 1;
  }

  /** Gives a block's memory back; called once for each block that leaves. */
  protected abstract free(node: Node): void;

  get bytes(): usize {
    return this.small.bytes + this.main.bytes;
  }

  /** So many octets from now on; what is too much goes as others come. */
  resize(budget: usize): void {
    this.budget = budget;
  }

  /** First block of the hash's bucket; follow `next`, and compare `hash` before anything else. */
  first(hash: u64): Node | null {
    return changetype<Node | null>(unchecked(this.buckets[<i32>(hash & this.mask)]));
  }

  /** The block was of use. */
  touch(node: Node): void {
    if (node.frequency < MAX_FREQUENCY) node.frequency += 1;
  }

  /** Takes a block with `hash` and `size` set, and makes room for it. One larger than the budget is freed at once. */
  insert(node: Node): void {
    if (<usize>node.size > this.budget / 4) {
      this.free(node);
      return;
    }
    const bucket = <i32>(node.hash & this.mask);
    node.next = changetype<Node | null>(unchecked(this.buckets[bucket]));
    unchecked((this.buckets[bucket] = changetype<usize>(node)));
    node.frequency = 0;
    const ghost = <u32>(node.hash >> 32) | 1;
    if (unchecked(this.ghosts[bucket]) == ghost) {
      unchecked((this.ghosts[bucket] = 0));
      node.queue = MAIN;
      this.main.push(node);
    } else {
      node.queue = SMALL;
      this.small.push(node);
    }
    this.count++;
    while (this.bytes > this.budget) this.evict();
  }

  remove(node: Node): void {
    this.unlink(node);
    this.count--;
    this.free(node);
  }

  /** All blocks in turn: the first after null, and null after the last. */
  nextKept(node: Node | null): Node | null {
    if (node !== null) {
      const newer = node.newer;
      if (newer !== null || node.queue == MAIN) return newer;
      return this.main.oldest;
    }
    const oldest = this.small.oldest;
    return oldest !== null ? oldest : this.main.oldest;
  }

  clear(): void {
    let node = this.small.oldest;
    while (node !== null) {
      this.remove(node);
      node = this.small.oldest;
    }
    node = this.main.oldest;
    while (node !== null) {
      this.remove(node);
      node = this.main.oldest;
    }
  }

  /** Moves or removes one block; a block is moved at most MAX_FREQUENCY + 1 times between removals. */
  private evict(): void {
    const newcomer = this.small.oldest;
    if (newcomer !== null && (this.small.bytes * SMALL_SHARE >= this.budget || this.main.oldest === null)) {
      this.evictSmall(newcomer);
      return;
    }
    const oldest = this.main.oldest;
    if (oldest === null) return;
    if (oldest.frequency > 0) {
      this.main.take(oldest);
      oldest.frequency -= 1;
      this.main.push(oldest);
      return;
    }
    this.evictions++;
    this.remove(oldest);
  }

  private evictSmall(node: Node): void {
    if (node.frequency > 1) {
      this.small.take(node);
      node.frequency = 0;
      node.queue = MAIN;
      this.main.push(node);
      return;
    }
    unchecked((this.ghosts[<i32>(node.hash & this.mask)] = <u32>(node.hash >> 32) | 1));
    this.evictions++;
    this.remove(node);
  }

  private unlink(node: Node): void {
    if (node.queue == SMALL) this.small.take(node);
    else this.main.take(node);
    const bucket = <i32>(node.hash & this.mask);
    let at = changetype<Node | null>(unchecked(this.buckets[bucket]));
    if (at === node) {
      unchecked((this.buckets[bucket] = changetype<usize>(node.next)));
      return;
    }
    while (at !== null) {
      if (at.next === node) {
        at.next = node.next;
        return;
      }
      at = at.next;
    }
  }
}
