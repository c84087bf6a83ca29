// UDP sessions: one source address and port each, a stream of the tunnel. They are many and short, so objects are pooled,
// and every list that they stand in runs through the objects themselves.

import { random64 } from "../../host/host";
import { mix } from "../../wire/name";
import { Peer } from "../peer";
import { Assembly, giveAssembly } from "./assembly";
import { Habit, Habits } from "./habits";

@final
export class Session extends Peer {
  stream: u32 = 0;
  /** Queries that wait for an answer. */
  pending: u32 = 0;
  /** Whether it has had an answer, and whether it was asked again after one: its client keeps its socket. */
  isServed: bool = false;
  isSteady: bool = false;
  /** Left alone for its end to say whether its client came back. */
  isSample: bool = false;
  /** Opened for a query that is still on its way: Envoy sends it when it has the response's headers. */
  isFresh: bool = false;
  /** Octets that the peer has granted to this stream beyond its initial window, less those sent. */
  credit: i64 = 0;
  /** Octets received and not yet granted again. */
  consumed: u32 = 0;
  /** Monotonic microseconds of the last query or answer, or of when it was last kept alive. */
  activeAt: u64 = 0;
  /** A capsule of which only a part has come. */
  assembly: Assembly | null = null;
  /** Octets still to come of a capsule that nobody wants. */
  skip: u64 = 0;

  next: Session | null = null;
  older: Session | null = null;
  newer: Session | null = null;
  source: Source | null = null;
  /** From when it is added. */
  habit!: Habit;
  olderOfSource: Session | null = null;
  newerOfSource: Session | null = null;
}

/** A source address and its sessions. */
@final
class Source {
  high: u64 = 0;
  low: u64 = 0;
  count: u32 = 0;
  oldest: Session | null = null;
  newest: Session | null = null;
  next: Source | null = null;
}

/** Sessions in the order of their last activity. */
@final
export class SessionQueue {
  oldest: Session | null = null;
  newest: Session | null = null;
  length: u32 = 0;

  push(session: Session): void {
    this.length++;
    session.newer = null;
    session.older = this.newest;
    const newest = this.newest;
    if (newest !== null) newest.newer = session;
    else this.oldest = session;
    this.newest = session;
  }

  take(session: Session): void {
    this.length--;
    const older = session.older;
    const newer = session.newer;
    if (older !== null) older.newer = newer;
    else this.oldest = newer;
    if (newer !== null) newer.older = older;
    else this.newest = older;
    session.older = null;
    session.newer = null;
  }
}

const BUCKETS: u32 = 16384;
/** One session in so many is a sample. */
const SAMPLE_EVERY: u32 = 128;
const LEAST_IDLE: u32 = 512;
const MOST_IDLE: u32 = 8192;

/** The sessions of one tunnel connection. */
@final
export class Sessions {
  count: u32 = 0;
  /**
   * How many of one query may be idle. Envoy's memory of a session is some 10 KiB: thousands of them miss the processor's
   * caches, and leave a heap behind in which later ones do, while a session that ends before its client comes back is one
   * more to open. So there are few until samples are asked again: each puts a sixteenth on, and each that was not takes an
   * eighth off.
   */
  idleRoom: u32 = LEAST_IDLE;
  private added: u32 = 0;
  /** Sessions with nothing pending: those of one query, and samples and those of more; and sessions that wait for answers. */
  readonly idle: SessionQueue = new SessionQueue();
  readonly steady: SessionQueue = new SessionQueue();
  readonly busy: SessionQueue = new SessionQueue();
  private readonly byStream: StaticArray<Session | null> = new StaticArray<Session | null>(BUCKETS);
  private readonly bySource: StaticArray<Source | null> = new StaticArray<Source | null>(BUCKETS);
  private readonly pool: Array<Session> = new Array<Session>();
  /** So that nobody can choose source addresses that collide. */
  private readonly seed: u64 = random64();
  private readonly sourcePool: Array<Source> = new Array<Source>();
  readonly habits: Habits = new Habits();

  find(stream: u32): Session | null {
    let session = unchecked(this.byStream[(stream >> 1) & (BUCKETS - 1)]);
    while (session !== null && session.stream != stream) session = session.next;
    return session;
  }

  /** A new session that is not in the lists yet: its address has to be set, then it is added. */
  take(): Session {
    return this.pool.length > 0 ? this.pool.pop() : new Session();
  }

  add(session: Session, stream: u32, now: u64): void {
    session.stream = stream;
    session.activeAt = now;
    session.isFresh = true;
    session.isSample = ++this.added % SAMPLE_EVERY == 0;
    const bucket = (stream >> 1) & (BUCKETS - 1);
    session.next = unchecked(this.byStream[bucket]);
    unchecked((this.byStream[bucket] = session));
    this.queueOf(session).push(session);
    const hash = this.hashOf(session.high, session.low);
    this.addToSource(session, hash & (BUCKETS - 1));
    session.habit = this.habits.of(hash);
    session.habit.open(now);
    this.count++;
  }

  /** Gives a session back that was not added. */
  discard(session: Session): void {
    session.clearPeer();
    this.pool.push(session);
  }

  remove(session: Session): void {
    const bucket = (session.stream >> 1) & (BUCKETS - 1);
    let before: Session | null = null;
    let at = unchecked(this.byStream[bucket]);
    while (at !== null && at !== session) {
      before = at;
      at = at.next;
    }
    if (before !== null) before.next = session.next;
    else unchecked((this.byStream[bucket] = session.next));
    session.next = null;
    this.queueOf(session).take(session);
    this.removeFromSource(session);
    if (session.isSample && session.isServed && !session.isSteady) {
      this.idleRoom = max(this.idleRoom - this.idleRoom / 8, LEAST_IDLE);
      session.habit.left();
    }
    const assembly = session.assembly;
    if (assembly !== null) giveAssembly(assembly);
    session.assembly = null;
    session.skip = 0;
    session.pending = 0;
    session.credit = 0;
    session.isServed = false;
    session.isSteady = false;
    session.isSample = false;
    session.consumed = 0;
    session.stream = 0;
    session.clearPeer();
    this.pool.push(session);
    this.count--;
  }

  /** Removes all: their connection is gone. How many there were. */
  clear(): u32 {
    const count = this.count;
    for (let session = this.idle.oldest; session !== null; session = this.idle.oldest) this.remove(session);
    for (let session = this.steady.oldest; session !== null; session = this.steady.oldest) this.remove(session);
    for (let session = this.busy.oldest; session !== null; session = this.busy.oldest) this.remove(session);
    return count;
  }

  asked(session: Session, now: u64): void {
    this.queueOf(session).take(session);
    // What came in one turn of the worker was sent at a time, even if the first is answered by now.
    if (session.pending != 0 || (session.isServed && session.activeAt == now)) session.habit.askedTwice();
    session.pending++;
    session.isFresh = false;
    if (session.isServed && !session.isSteady) {
      session.isSteady = true;
      if (session.isSample) {
        this.idleRoom = min(this.idleRoom + this.idleRoom / 16, MOST_IDLE);
        session.habit.cameBack();
      }
    }
    session.activeAt = now;
    this.busy.push(session);
  }

  answered(session: Session, now: u64): void {
    if (session.pending == 0) return;
    this.busy.take(session);
    session.pending--;
    session.isServed = true;
    session.activeAt = now;
    this.queueOf(session).push(session);
  }

  /** The one that waits and was touched longest ago is touched. */
  touch(session: Session, now: u64): void {
    this.busy.take(session);
    session.activeAt = now;
    this.busy.push(session);
  }

  /** Whether it ends with its answer: it is its source's habit to ask once from a port, and nothing else has come. */
  isOver(session: Session): bool {
    if (session.pending != 0 || !session.isServed || session.isSteady || session.isSample) return false;
    return session.habit.asksOnce && session.assembly === null;
  }

  private queueOf(session: Session): SessionQueue {
    if (session.pending != 0) return this.busy;
    return session.isSteady || session.isSample ? this.steady : this.idle;
  }

  /** The session to end where there is no room for another. */
  get expendable(): Session | null {
    if (this.idle.oldest !== null) return this.idle.oldest;
    return this.steady.oldest !== null ? this.steady.oldest : this.busy.oldest;
  }

  /** The session of the same address to end where it has more than `limit`: the oldest that waits for nothing, or else the oldest. */
  excess(session: Session, limit: u32): Session | null {
    const source = session.source;
    if (source === null || source.count <= limit) return null;
    let candidate = source.oldest;
    while (candidate !== null && (candidate.pending != 0 || candidate.isFresh)) candidate = candidate.newerOfSource;
    return candidate !== null ? candidate : source.oldest;
  }

  private hashOf(high: u64, low: u64): u32 {
    return <u32>(mix(mix(this.seed, high), low) >> 32);
  }

  private addToSource(session: Session, bucket: u32): void {
    let known = unchecked(this.bySource[bucket]);
    while (known !== null && (known.high != session.high || known.low != session.low)) known = known.next;
    const source = known !== null ? known : this.newSource(session, bucket);
    session.source = source;
    session.newerOfSource = null;
    session.olderOfSource = source.newest;
    const newest = source.newest;
    if (newest !== null) newest.newerOfSource = session;
    else source.oldest = session;
    source.newest = session;
    source.count++;
  }

  private newSource(session: Session, bucket: u32): Source {
    const source = this.sourcePool.length > 0 ? this.sourcePool.pop() : new Source();
    source.high = session.high;
    source.low = session.low;
    source.next = unchecked(this.bySource[bucket]);
    unchecked((this.bySource[bucket] = source));
    return source;
  }

  private removeFromSource(session: Session): void {
    const source = session.source;
    if (source === null) return;
    const older = session.olderOfSource;
    const newer = session.newerOfSource;
    if (older !== null) older.newerOfSource = newer;
    else source.oldest = newer;
    if (newer !== null) newer.olderOfSource = older;
    else source.newest = older;
    session.olderOfSource = null;
    session.newerOfSource = null;
    session.source = null;
    if (--source.count == 0) this.removeSource(source);
  }

  private removeSource(source: Source): void {
    const bucket = this.hashOf(source.high, source.low) & (BUCKETS - 1);
    let before: Source | null = null;
    let at = unchecked(this.bySource[bucket]);
    while (at !== null && at !== source) {
      before = at;
      at = at.next;
    }
    if (before !== null) before.next = source.next;
    else unchecked((this.bySource[bucket] = source.next));
    source.next = null;
    this.sourcePool.push(source);
  }
}
