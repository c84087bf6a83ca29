// The worker's stream to the policy service (protos/sync.proto): it brings the revision in force, and takes reports of
// what was answered. Whether a verdict may be used at all hangs on what was heard here last.

import { GrpcStream, Headers, random16, random64, sharedRandom64, Text, wallMicroseconds } from "../host/host";
import { Buckets } from "../meter/buckets";
import { Events } from "../telemetry/events";
import { writeCounters } from "../telemetry/telemetry";
import { ProtoReader, ProtoWriter } from "../wire/protobuf";
import { ShareReader } from "./shares";

/** What a worker knows of the policy service. */
export const enum Standing {
  /** It has never been heard. */
  Unknown,
  /** Verdicts are of the revision in force. */
  Current,
  /** It is away: verdicts are the last that were good. */
  LastGood,
  /** It has been away for too long. */
  Stale,
}

/** Is told of revisions before they are acknowledged. */
export interface SyncListener {
  /**
   * `evidence`: Revision.evidence; `revision`: the whole message, to read the upstreams from; `listsChanged`: where that
   * is all that is new.
   */
  revised(evidence: u32, revision: usize, length: u32, listsChanged: usize, listsChangedLength: u32): void;
  draining(): void;
  /** Any client may be somebody else. */
  clientsChanged(): void;
  /** Takes over a MeshUpdate; false where it is none. */
  meshUpdated(update: usize, length: u32): bool;
  /** Views that are to be asked for with a new stream. */
  meshBegins(): Array<u64>;
}

const CLUSTER = new Text("policy_service");
const SERVICE = new Text("dns.mesh.v1.Sync");
const METHOD = new Text("Connect");
const PROCESS = new Text("dns.process");
/** By which Envoy chooses among several services: all that one Envoy asks goes to one of them (envoy/policy-service.ts). */
const NODE = new Text("x-dns-node");
/** Reports and their octets that may be unacknowledged (protos/sync.proto). */
const MAX_REPORTS: u32 = 4;
const MAX_REPORT_OCTETS: u32 = 256 * 1024;
const REPORT: u32 = 64 * 1024;
/** Microseconds between tries to connect: doubled from the first to the last, with half of it by chance. */
const FIRST_RETRY: u64 = 50_000;
const LAST_RETRY: u64 = 500_000;
const REPORT_INTERVAL: u64 = 1_000_000;
/** A batch of events is sent when it has this many octets, or with the next report. */
const EVENTS_DUE: u32 = 16 * 1024;
const EVENTS_INTERVAL: u64 = 100_000;
/** The stream follows decisions to another service so often at most; and where they are of no use before, so often. */
const FOLLOW_INTERVAL: u64 = 5_000_000;
const URGENT_INTERVAL: u64 = 500_000;

@final
export class Sync {
  /** Of the revision in force; 0 is none. */
  sequence: u64 = 0;
  private hash: u64 = 0;
  /** Of the names in lists, as the revision has them now, and as it, or the one before it, had them before. */
  private lists: u64 = 0;
  private listsBefore: u64 = 0;
  /** At which the stream is, of several. */
  private service: u64 = 0;
  /** Decisions are another's than the stream's service, which would not tell of what changes there. */
  private isElsewhere: bool = false;
  private readonly stream: GrpcStream = new GrpcStream();
  private readonly metadata: Headers = new Headers(512);
  private started: bool = false;
  /** Monotonic microseconds: of anything, and of what is in force. */
  private heardAt: u64 = 0;
  private confirmedAt: u64 = 0;
  private openedAt: u64 = 0;
  private retryAt: u64 = 0;
  private retry: u64 = FIRST_RETRY;
  /** Whether this stream brought a revision. */
  private synced: bool = false;
  private reportNumber: u64 = 0;
  private acknowledged: u64 = 0;
  private readonly reportOctets: StaticArray<u32> = new StaticArray<u32>(MAX_REPORTS);
  private readonly reportEvents: StaticArray<u32> = new StaticArray<u32>(MAX_REPORTS);
  private octets: u32 = 0;
  private nextReport: u64 = 0;
  private nextEvents: u64 = 0;
  private readonly worker: u64 = random64();
  private readonly reader: ProtoReader = new ProtoReader();
  private readonly inner: ProtoReader = new ProtoReader();
  private readonly body: ProtoWriter = new ProtoWriter(REPORT);
  private readonly out: ProtoWriter = new ProtoWriter(REPORT + 16);
  private readonly shares: ShareReader;

  constructor(
    private readonly listener: SyncListener,
    private readonly events: Events,
    private readonly buckets: Buckets,
    private readonly node: ArrayBuffer,
    private readonly secret: ArrayBuffer,
    private readonly concurrency: u32,
    private readonly silence: u64,
    private readonly lastGood: u64,
  ) {
    this.shares = new ShareReader(buckets);
  }

  standing(now: u64): Standing {
    if (this.sequence == 0) return Standing.Unknown;
    if (this.synced && this.isConfirmed(now)) return Standing.Current;
    return now - this.confirmedAt < this.lastGood ? Standing.LastGood : Standing.Stale;
  }

  /** Whether it was heard a moment ago what is in force, on a stream that may have ended: another service may be there. */
  isConfirmed(now: u64): bool {
    return this.sequence != 0 && now - this.confirmedAt < this.silence;
  }

  /**
   * Whether what was decided so is of the revision in force (0), or of an older (-1) or a newer one (1), which is told in a
   * moment.
   */
  compare(revision: u64, service: u64, lists: u64, now: u64): i32 {
    const isOther = service != this.service;
    this.isElsewhere = isOther;
    if (isOther) {
      this.follow(now, revision == this.sequence && lists != this.lists ? URGENT_INTERVAL : FOLLOW_INTERVAL);
    }
    if (revision != this.sequence) return revision < this.sequence ? -1 : 1;
    if (lists == this.lists) return 0;
    // Lists are in no order. What the service had read before, it has left behind since; and what is unknown is about to come.
    return !isOther && lists == this.listsBefore ? -1 : 1;
  }

  private follow(now: u64, interval: u64): void {
    if (this.stream.token == 0 || now - this.openedAt < interval) return;
    this.stream.cancel();
    this.open(now);
  }

  /** This VM serves clients: keep a stream open from now on. */
  start(now: u64): void {
    if (this.started) return;
    this.started = true;
    this.events.wallOffset = wallMicroseconds() - now;
    this.open(now);
  }

  private open(now: u64): void {
    this.synced = false;
    this.isElsewhere = false;
    this.openedAt = now;
    // Whether what was not acknowledged has arrived, nobody knows: it counts as lost.
    while (this.acknowledged < this.reportNumber) {
      this.acknowledged++;
      this.events.dropped += unchecked(this.reportEvents[<u32>(this.acknowledged % MAX_REPORTS)]);
    }
    this.reportNumber = 0;
    this.acknowledged = 0;
    this.octets = 0;
    this.metadata.clear();
    this.metadata.add(NODE, changetype<usize>(this.node), this.node.byteLength);
    if (!this.stream.open(CLUSTER, SERVICE, METHOD, this.metadata)) {
      this.retryLater(now);
      return;
    }
    const body = this.body;
    body.clear();
    body.bytes(1, changetype<usize>(this.node), this.node.byteLength);
    body.fixed64(2, sharedRandom64(PROCESS));
    body.fixed64(3, this.worker);
    body.number(4, this.concurrency);
    body.bytes(5, changetype<usize>(this.secret), this.secret.byteLength);
    this.send(1);
    this.sendInterest(this.listener.meshBegins());
  }

  /** Says which views this worker answers by: all of them. */
  sendInterest(views: Array<u64>): void {
    if (this.stream.token == 0 || views.length == 0) return;
    this.body.clear();
    this.body.bytes(1, views.dataStart, (<u32>views.length) << 3);
    this.send(5);
  }

  private close(now: u64): void {
    this.stream.cancel();
    this.synced = false;
    this.retryLater(now);
  }

  private retryLater(now: u64): void {
    this.retryAt = now + this.retry / 2 + (this.retry * random16()) / 131072;
    this.retry = min(this.retry * 2, LAST_RETRY);
  }

  /** Sends `body` as this field of a WorkerMessage. */
  private send(field: u32): bool {
    const out = this.out;
    out.clear();
    // An empty message still has to say which one it is.
    const start = out.length;
    out.bytes(field, this.body.at, this.body.length);
    return out.length > start && this.stream.send(out.at, out.length);
  }

  /** The stream ended; false where it is another stream. */
  onClosed(token: u32, now: u64): bool {
    if (token != this.stream.token || token == 0) return false;
    this.stream.token = 0;
    this.synced = false;
    this.retryLater(now);
    return true;
  }

  /** A message came; false where it is of another stream. */
  onMessage(token: u32, message: usize, length: u32, now: u64): bool {
    if (token != this.stream.token || token == 0) return false;
    this.heardAt = now;
    if (this.synced) this.confirmedAt = now;
    const reader = this.reader.begin(message, length);
    while (reader.next()) {
      const field = reader.field;
      reader.bytes();
      if (reader.failed) break;
      if (field == 1) this.onRevision(reader.bytesAt, reader.bytesLength, now);
      else if (field == 2) this.onHeartbeat(reader.bytesAt, reader.bytesLength, now);
      else if (field == 3) this.onReportAck(reader.bytesAt, reader.bytesLength, now);
      else if (field == 4) this.listener.draining();
      else if (field == 6) this.shares.read(reader.bytesAt, reader.bytesLength, now);
      else if (field == 8) this.listener.clientsChanged();
      else if (field == 7) this.onTelemetry(reader.bytesAt, reader.bytesLength);
      else if (field == 5 && !this.listener.meshUpdated(reader.bytesAt, reader.bytesLength)) {
        this.close(now);
        return true;
      }
    }
    if (reader.failed) this.close(now);
    return true;
  }

  private onRevision(at: usize, length: u32, now: u64): void {
    let sequence: u64 = 0;
    let hash: u64 = 0;
    let service: u64 = 0;
    let lists: u64 = 0;
    let evidence: u32 = 0;
    let listsChanged: usize = 0;
    let listsChangedLength: u32 = 0;
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) sequence = reader.number();
      else if (reader.field == 2) hash = reader.fixed64();
      else if (reader.field == 4) evidence = <u32>reader.number();
      else if (reader.field == 6) {
        reader.bytes();
        listsChanged = reader.bytesAt;
        listsChangedLength = reader.bytesLength;
      } else if (reader.field == 8) service = reader.fixed64();
      else if (reader.field == 9) lists = reader.fixed64();
      else reader.skip();
    }
    this.service = service;
    // An older revision comes from a replica that is behind; it is not obeyed, and not acknowledged.
    if (reader.failed || sequence == 0 || sequence < this.sequence) return;
    this.retry = FIRST_RETRY;
    this.confirmedAt = now;
    if (sequence != this.sequence || hash != this.hash || lists != this.lists) {
      // Who was told of the revision before by somebody else, or of none, cannot tell what is new.
      const known = this.synced && hash == this.hash && this.isSince(listsChanged, listsChangedLength);
      if (!known) listsChanged = 0;
      this.sequence = sequence;
      this.hash = hash;
      this.listsBefore = this.lists;
      this.lists = lists;
      this.synced = true;
      this.listener.revised(evidence, at, length, listsChanged, listsChangedLength);
    }
    this.synced = true;
    this.body.clear();
    this.body.number(1, sequence);
    this.send(2);
  }

  /** Whether a ListsChanged says what is other than in the lists that are known. */
  private isSince(at: usize, length: u32): bool {
    let since: u64 = 0;
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) since = reader.fixed64();
      else reader.skip();
    }
    return !reader.failed && at != 0 && since == this.lists;
  }

  private onHeartbeat(at: usize, length: u32, now: u64): void {
    let sequence: u64 = 0;
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) sequence = reader.number();
      else reader.skip();
    }
    // Revisions come before heartbeats that name them: something was lost, or the service is behind.
    if (sequence != this.sequence) this.close(now);
  }

  private onTelemetry(at: usize, length: u32): void {
    let all = false;
    let prompt = false;
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) all = reader.number() != 0;
      else if (reader.field == 5) prompt = reader.number() != 0;
      else reader.skip();
    }
    if (reader.failed) return;
    this.events.all = all;
    this.events.prompt = prompt;
  }

  private onReportAck(at: usize, length: u32, now: u64): void {
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      if (reader.field != 1) {
        reader.skip();
        continue;
      }
      const number = reader.number();
      while (this.acknowledged < number && this.acknowledged < this.reportNumber) {
        this.acknowledged++;
        this.octets -= unchecked(this.reportOctets[<u32>(this.acknowledged % MAX_REPORTS)]);
      }
    }
    // What came about meanwhile goes out together: the policy service's own pace bounds how many reports there are.
    if (this.events.prompt && this.events.batch.length > 0) this.sendEvents(now);
  }

  tick(now: u64): void {
    if (!this.started) return;
    if (this.stream.token == 0) {
      if (now >= this.retryAt) this.open(now);
      return;
    }
    if (now - max(this.heardAt, this.openedAt) >= this.silence) {
      this.close(now);
      return;
    }
    if (!this.synced) return;
    if (this.isElsewhere) this.follow(now, FOLLOW_INTERVAL);
    if (this.buckets.uses.isDue(now)) this.tellUses(now);
    this.events.wallOffset = wallMicroseconds() - now;
    const waiting = this.events.batch.length;
    const eventsDue = waiting >= EVENTS_DUE || (waiting > 0 && now >= this.nextEvents);
    if (eventsDue || now >= this.nextReport) this.report(now);
  }

  /** Where it cannot be sent, the next telling is as good. */
  private tellUses(now: u64): void {
    this.body.clear();
    if (this.buckets.uses.write(this.body, now)) this.send(4);
  }

  /**
   * A batch of events is full, or somebody waits for it: it goes out at once where the policy service has acknowledged
   * enough, otherwise with a tick or an acknowledgement.
   */
  sendEvents(now: u64): void {
    if (!this.synced || this.stream.token == 0) return;
    if (this.events.hasFull || this.acknowledged == this.reportNumber) this.report(now);
  }

  private report(now: u64): void {
    if (this.reportNumber - this.acknowledged >= MAX_REPORTS || this.octets > MAX_REPORT_OCTETS - REPORT) return;
    const events = this.events;
    const body = this.body;
    const withCounters = now >= this.nextReport;
    body.clear();
    body.number(1, this.reportNumber + 1);
    body.number(5, events.dropped);
    body.number(6, events.droppedMirrors);
    body.bytes(7, events.batch.at, events.batch.length);
    const complete = !withCounters || writeCounters(body);
    if (!this.send(3)) {
      this.close(now);
      return;
    }
    this.reportNumber++;
    unchecked((this.reportEvents[<u32>(this.reportNumber % MAX_REPORTS)] = events.batchCount));
    events.dropped = 0;
    events.droppedMirrors = 0;
    events.sent();
    unchecked((this.reportOctets[<u32>(this.reportNumber % MAX_REPORTS)] = body.length));
    this.octets += body.length;
    this.nextEvents = now + EVENTS_INTERVAL;
    if (withCounters && complete) this.nextReport = now + REPORT_INTERVAL;
  }
}
