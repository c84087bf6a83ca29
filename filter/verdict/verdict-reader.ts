// Reads the body of a decision, a Verdict of protos/verdict.proto: its scope into fields, what it does into blocks.

import { internTenant, setLogging } from "../telemetry/tenants";
import { ProtoReader } from "../wire/protobuf";
import { Ede } from "../wire/types";
import { OutcomeReader } from "./outcome-reader";
import { ResponseReader } from "./response-reader";
import { setLimits, TenantLimits } from "./tenant-limits";
import {
  Action,
  CERTAIN,
  Extent,
  HEAD,
  meterOf,
  ResponseRules,
  releaseRules,
  releaseVerdict,
  retainRules,
  Verdict,
} from "./verdict";

/** Most types and excepted labels that a scope may list; one with more is refused. */
const MAX_LIST: i32 = 256;
const MAX_ALTERNATIVES: i32 = 24;

/** Reads the body of a decision. Every field is valid after `read` returned true, until the next call. */
@final
export class VerdictReader {
  revision: u64 = 0;
  service: u64 = 0;
  lists: u64 = 0;
  prefix: u32 = 0;
  labels: u32 = 0;
  extent: Extent = Extent.Exact;
  readonly except: StaticArray<u32> = new StaticArray<u32>(MAX_LIST);
  exceptCount: i32 = 0;
  readonly types: StaticArray<u32> = new StaticArray<u32>(MAX_LIST);
  typeCount: i32 = 0;
  typesExcluded: bool = false;
  transports: u32 = 0;
  lifetime: u32 = 0;
  /** With one reference, the caller's. */
  verdict: Verdict | null = null;

  private readonly reader: ProtoReader = new ProtoReader();
  private readonly inner: ProtoReader = new ProtoReader();
  private readonly list: ProtoReader = new ProtoReader();
  private readonly limitReader: ProtoReader = new ProtoReader();
  private readonly outcome: OutcomeReader = new OutcomeReader();
  private readonly alternative: OutcomeReader = new OutcomeReader();
  private readonly responseReader: ResponseReader = new ResponseReader();
  private responses: ResponseRules | null = null;
  private subject: u64 = 0;
  private tenant: u32 = 0;
  private logAll: bool = false;
  private unexplained: bool = false;
  private sample: u32 = 0;
  private currentOnly: bool = false;
  private traceContext: bool = false;
  private limits: TenantLimits | null = null;
  private broken: bool = false;
  /** Blocks of the alternatives read so far: the first, the last, and how many. */
  private first: Verdict | null = null;
  private last: Verdict | null = null;
  private alternatives: i32 = 0;

  /** Whether `body` is a whole Verdict. */
  read(body: usize, length: u32): bool {
    this.clear();
    const reader = this.reader.begin(body, length);
    const outcome = this.outcome;
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          this.revision = reader.number();
          break;
        case 2:
          reader.bytes();
          this.readClient(reader.bytesAt, reader.bytesLength);
          break;
        case 3:
          reader.bytes();
          this.readScope(reader.bytesAt, reader.bytesLength);
          break;
        case 11:
          reader.bytes();
          this.readAlternative(reader.bytesAt, reader.bytesLength);
          break;
        case 15:
          reader.bytes();
          this.readResponses(reader.bytesAt, reader.bytesLength);
          break;
        case 30:
          this.service = reader.fixed64();
          break;
        case 31:
          this.lists = reader.fixed64();
          break;
        default:
          outcome.field(reader);
      }
    }
    const broken = reader.failed || this.broken || outcome.broken;
    if (broken || this.subject == 0 || outcome.action == 0 || this.revision == 0) {
      releaseVerdict(this.first);
      this.first = null;
      const limits = this.limits;
      if (limits !== null) limits.release();
      releaseRules(this.responses);
      this.responses = null;
      return false;
    }
    this.chainWith(outcome.build());
    this.keepLimits();
    setLogging(this.tenant, this.logAll, this.sample);
    releaseRules(this.responses);
    this.responses = null;
    return true;
  }

  /** `verdict` is the last block of the chain, or all there is. */
  private chainWith(verdict: Verdict): void {
    let head = verdict;
    const last = this.last;
    if (last !== null) last.next = verdict;
    else this.first = verdict;
    if (last !== null || verdict.delayCount != 0) {
      head = changetype<Verdict>(heap.alloc(HEAD));
      memory.fill(changetype<usize>(head), 0, HEAD);
      head.references = 1;
      head.size = <u32>HEAD;
      head.action = Action.Chance;
      head.next = this.first;
    }
    // Rules that others have too are counted once: with the verdict that has brought them.
    let size: u32 = this.responses === null ? 0 : this.responseReader.size;
    let at: Verdict | null = head;
    while (at !== null) {
      at.subject = this.subject;
      at.tenant = this.tenant;
      at.logAll = this.logAll;
      at.sample = this.sample;
      at.currentOnly = this.currentOnly;
      at.traceContext = this.traceContext;
      if (this.unexplained) at.edeCode = Ede.None;
      at.responses = retainRules(this.responses);
      size += at.size;
      if (at.chance != 0 && !at.metered) head.byChance = true;
      at = at.next;
    }
    head.size = size;
    this.first = null;
    this.verdict = head;
  }

  private clear(): void {
    this.revision = 0;
    this.service = 0;
    this.lists = 0;
    this.prefix = 0;
    this.labels = 0;
    this.extent = Extent.Exact;
    this.exceptCount = 0;
    this.typeCount = 0;
    this.typesExcluded = false;
    this.transports = 0;
    this.lifetime = 0;
    this.verdict = null;
    this.subject = 0;
    this.tenant = 0;
    this.logAll = false;
    this.unexplained = false;
    this.sample = 0;
    this.currentOnly = false;
    this.traceContext = false;
    this.limits = null;
    this.broken = false;
    this.first = null;
    this.last = null;
    this.alternatives = 0;
    this.outcome.begin();
  }

  private finish(): void {
    if (this.inner.failed) this.broken = true;
  }

  private readResponses(at: usize, length: u32): void {
    releaseRules(this.responses);
    this.responses = this.responseReader.read(at, length);
    if (this.responses === null) this.broken = true;
  }

  private readAlternative(at: usize, length: u32): void {
    const alternative = this.alternative;
    alternative.begin();
    let chance: u64 = 0;
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) chance = reader.number();
      else alternative.field(reader);
    }
    this.finish();
    const comesUp = chance != 0 || alternative.metered;
    const sound = !alternative.broken && alternative.action != 0 && comesUp && chance <= <u64>CERTAIN;
    if (!sound || this.broken || ++this.alternatives > MAX_ALTERNATIVES) {
      this.broken = true;
      return;
    }
    const verdict = alternative.build();
    verdict.chance = <u32>chance;
    const last = this.last;
    if (last === null) this.first = verdict;
    else last.next = verdict;
    this.last = verdict;
  }

  private readClient(at: usize, length: u32): void {
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) this.subject = reader.number();
      else if (reader.field == 2) {
        reader.bytes();
        this.tenant = internTenant(reader.bytesAt, reader.bytesLength);
      } else if (reader.field == 3) this.prefix = <u32>reader.number();
      else if (reader.field == 4) this.logAll = reader.number() != 0;
      else if (reader.field == 5) this.unexplained = reader.number() != 0;
      else if (reader.field == 6) this.sample = <u32>min(reader.number(), <u64>CERTAIN);
      else if (reader.field == 7) this.currentOnly = reader.number() != 0;
      else if (reader.field == 8) {
        reader.bytes();
        this.readLimits(reader.bytesAt, reader.bytesLength);
      } else if (reader.field == 12) this.traceContext = reader.number() != 0;
      else reader.skip();
    }
    this.finish();
  }

  private readLimits(at: usize, length: u32): void {
    const limits = this.limits || new TenantLimits();
    this.limits = limits;
    const reader = this.limitReader.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) {
        reader.bytes();
        const denial = this.readDenial(reader.bytesAt, reader.bytesLength);
        releaseVerdict(limits.denial);
        limits.denial = denial;
        limits.pending = denial === null ? 0 : meterOf(denial).count;
      } else if (reader.field == 2) limits.connections = <u32>reader.number();
      else if (reader.field == 3) limits.cacheShare = <u32>reader.number();
      else if (reader.field == 4) {
        reader.bytes();
        releaseVerdict(limits.storm);
        limits.storm = this.readDenial(reader.bytesAt, reader.bytesLength);
      } else reader.skip();
    }
    if (reader.failed) this.broken = true;
  }

  /** A denial with a meter, with a reference; null where it is none, and the verdict is broken. */
  private readDenial(at: usize, length: u32): Verdict | null {
    const outcome = this.alternative;
    outcome.begin();
    const reader = this.list.begin(at, length);
    while (reader.next()) outcome.field(reader);
    if (!reader.failed && !outcome.broken && outcome.action == <u32>Action.Deny && outcome.metered) {
      return outcome.build();
    }
    this.broken = true;
    return null;
  }

  private keepLimits(): void {
    const limits = this.limits;
    if (limits !== null) {
      this.speakAs(limits.denial);
      this.speakAs(limits.storm);
    }
    setLimits(this.tenant, limits);
  }

  /** What a denial of the tenant's own says, and to whom. */
  private speakAs(denial: Verdict | null): void {
    if (denial === null) return;
    denial.logAll = this.logAll;
    if (this.unexplained) denial.edeCode = Ede.None;
  }

  private readScope(at: usize, length: u32): void {
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          this.labels = <u32>reader.number();
          break;
        case 2: {
          const extent = reader.number();
          if (extent > <u64>Extent.AtOrBelow) this.broken = true;
          else this.extent = <Extent>extent;
          break;
        }
        case 3:
          this.readExcept(reader);
          break;
        case 4:
          this.readTypes(reader);
          break;
        case 5:
          this.typesExcluded = reader.number() != 0;
          break;
        case 6:
          this.transports = <u32>reader.number();
          break;
        case 7:
          this.lifetime = <u32>reader.number();
          break;
        default:
          reader.skip();
      }
    }
    this.finish();
  }

  /** Packed: 32 bits each, little-endian. */
  private readExcept(reader: ProtoReader): void {
    reader.bytes();
    const count = <i32>(reader.bytesLength >> 2);
    if (reader.bytesLength & 3 || count > MAX_LIST - this.exceptCount) {
      this.broken = true;
      return;
    }
    for (let i = 0; i < count; i++) {
      unchecked((this.except[this.exceptCount++] = load<u32>(reader.bytesAt + (i << 2))));
    }
  }

  private readTypes(reader: ProtoReader): void {
    reader.bytes();
    const list = this.list.begin(reader.bytesAt, reader.bytesLength);
    while (!list.failed && !list.atEnd) {
      if (this.typeCount == MAX_LIST) {
        this.broken = true;
        return;
      }
      unchecked((this.types[this.typeCount++] = <u32>list.varint()));
    }
    if (list.failed) this.broken = true;
  }
}
