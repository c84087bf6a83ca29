// What the policy service said: a Verdict of protos/verdict.proto as the filter keeps it. Blocks live outside the
// garbage collector and count their references: the verdict cache holds one, and every query under way by it.
//
// Where chance has a word or the answer is put off, the block that is kept only heads a chain of blocks: the alternatives in the order in which
// they are drawn, and at the end what holds if none comes up. Each is a verdict of its own to the query that drew it.

import { internTenant } from "../telemetry/tenants";
import { copyLower } from "../wire/name";
import { ProtoReader } from "../wire/protobuf";
import { cutText } from "../wire/text";

export const enum Action {
  Forward = 1,
  Deny = 2,
  /** The head of a chain. */
  Chance = 3,
  Fault = 4,
  Answer = 5,
}

/** Deny.Form of protos/verdict.proto. */
export const enum Form {
  Rcode = 0,
  Drop = 1,
  Truncate = 2,
  Records = 3,
}

export const enum Extent {
  Exact = 0,
  Below = 1,
  AtOrBelow = 2,
}

/** Fixed head of the block; EDE text, policy, rule, audits, records, delays and alias follow. */
@unmanaged
export class Verdict {
  references: u32;
  size: u32;
  subject: u64;
  action: Action;
  tenant: u32;
  logAll: bool;
  /** Forward: number of the upstream in the revision, and the answers that may be shared. */
  upstream: u32;
  view: u64;
  /** Deny. */
  rcode: u32;
  edeCode: u32;
  ttl: u32;
  soaLabels: u32;
  form: Form;
  edeLength: u32;
  policyLength: u32;
  ruleLength: u32;
  /** Rules in mode Audit: so many AUDIT_HEADs, each with its names behind it. */
  auditCount: u32;
  auditsLength: u32;
  /** Records of the answer: so many RECORD_HEADs, each with its data behind it. */
  recordCount: u32;
  recordsLength: u32;
  /** So many pairs of a chance and milliseconds, 16 bits each. */
  delayCount: u32;
  /** Answer: length of the name that is asked for upstream instead; 0 is none. */
  aliasLength: u32;
  /** Bounds for the TTLs of what an upstream answers, in seconds; 0 is none. */
  ttlMin: u32;
  ttlMax: u32;
  /** In a chain: of 10,000, how often this one comes up; 0 is always. And the next one, with a reference. */
  chance: u32;
  next: Verdict | null;
}

const HEAD: usize = (offsetof<Verdict>() + 7) & ~7;

export function edeTextAt(verdict: Verdict): usize {
  return changetype<usize>(verdict) + HEAD;
}

export function policyAt(verdict: Verdict): usize {
  return edeTextAt(verdict) + verdict.edeLength;
}

export function ruleAt(verdict: Verdict): usize {
  return policyAt(verdict) + verdict.policyLength;
}

/** RuleAction of protos/verdict.proto, as far as it is asked here. */
export const ACTION_DENY: u32 = 1;

/** In front of a policy's and a rule's name in `auditsAt`: action, length of the first, of the second, and chance. */
export const AUDIT_HEAD: usize = 5;
/** Chances are of so many. */
export const CERTAIN: u32 = 10_000;

export function auditsAt(verdict: Verdict): usize {
  return ruleAt(verdict) + verdict.ruleLength;
}

/** Where the audit after the one at `at` stands. */
export function nextAudit(at: usize): usize {
  return at + AUDIT_HEAD + load<u8>(at, 1) + load<u8>(at, 2);
}

/** In front of a record's data in `recordsAt`: type, and length of the data. */
export const RECORD_HEAD: usize = 4;

export function recordsAt(verdict: Verdict): usize {
  return auditsAt(verdict) + verdict.auditsLength;
}

/** Delays are pairs of a chance and milliseconds. */
export const DELAY_SIZE: usize = 4;

export function delaysAt(verdict: Verdict): usize {
  return recordsAt(verdict) + verdict.recordsLength;
}

/** In wire format and lower case. */
export function aliasAt(verdict: Verdict): usize {
  return delaysAt(verdict) + verdict.delayCount * DELAY_SIZE;
}

/** Of 10,000; 0 is always. */
export function auditChance(at: usize): u32 {
  return load<u16>(at, 3);
}

export function retainVerdict(verdict: Verdict): Verdict {
  verdict.references += 1;
  return verdict;
}

export function releaseVerdict(verdict: Verdict | null): void {
  let at = verdict;
  while (at !== null && --at.references == 0) {
    const next = at.next;
    heap.free(changetype<usize>(at));
    at = next;
  }
}

/** Most types and excepted labels that a scope may list; one with more is refused. */
export const MAX_LIST: i32 = 256;
const MAX_TEXT: u32 = 512;
/** Names of policies and rules have 63 octets at most; what is longer is cut. */
const MAX_NAME: u32 = 253;
const MAX_AUDITS: u32 = 8;
const MAX_ALTERNATIVES: i32 = 16;
const MAX_DELAYS: u32 = 8;
/** RFC 2181, section 8. */
const MAX_TTL: u32 = 0x7fff_ffff;
/** Milliseconds. */
const MAX_DELAY: u32 = 4000;
const MAX_RECORDS: u32 = 64;
const MAX_RECORDS_LENGTH: u32 = 4096;

/** Reads what is done, and by which rule: fields that a Verdict and an Alternative have in common. */
@final
class OutcomeReader {
  broken: bool = false;
  action: u32 = 0;
  private upstream: u32 = 0;
  private view: u64 = 0;
  private rcode: u32 = 0;
  private edeCode: u32 = 0;
  private ttl: u32 = 0;
  private soaLabels: u32 = 0;
  private form: Form = Form.Rcode;
  private edeText: usize = 0;
  private edeLength: u32 = 0;
  private policy: usize = 0;
  private policyLength: u32 = 0;
  private rule: usize = 0;
  private ruleLength: u32 = 0;
  private auditCount: u32 = 0;
  private auditsLength: u32 = 0;
  private readonly audits: usize = heap.alloc(MAX_AUDITS * (AUDIT_HEAD + 2 * MAX_NAME));
  private ttlMin: u32 = 0;
  private ttlMax: u32 = 0;
  private alias: usize = 0;
  private aliasLength: u32 = 0;
  private delayCount: u32 = 0;
  private readonly delays: usize = heap.alloc(MAX_DELAYS * <u32>DELAY_SIZE);
  private recordCount: u32 = 0;
  private recordsLength: u32 = 0;
  private readonly records: usize = heap.alloc(MAX_RECORDS * <u32>RECORD_HEAD + MAX_RECORDS_LENGTH);
  private readonly inner: ProtoReader = new ProtoReader();
  private readonly innermost: ProtoReader = new ProtoReader();

  begin(): void {
    this.broken = false;
    this.beginAction(0);
    this.policyLength = 0;
    this.ruleLength = 0;
    this.auditCount = 0;
    this.auditsLength = 0;
    this.delayCount = 0;
    this.ttlMin = 0;
    this.ttlMax = 0;
  }

  /** Of two actions the last counts, and has nothing of the first. */
  private beginAction(action: u32): void {
    this.action = action;
    this.upstream = 0;
    this.view = 0;
    this.rcode = 0;
    this.edeCode = 0;
    this.ttl = 0;
    this.soaLabels = 0;
    this.form = Form.Rcode;
    this.edeLength = 0;
    this.recordCount = 0;
    this.recordsLength = 0;
    this.aliasLength = 0;
  }

  /** Reads the field that `reader` is at; skips one that is none of these. */
  field(reader: ProtoReader): void {
    switch (reader.field) {
      case 4:
        reader.bytes();
        this.readForward(reader.bytesAt, reader.bytesLength);
        break;
      case 5:
        reader.bytes();
        this.readDeny(reader.bytesAt, reader.bytesLength);
        break;
      case 6:
        reader.bytes();
        this.readFault(reader.bytesAt, reader.bytesLength);
        break;
      case 7:
        reader.bytes();
        this.readAnswer(reader.bytesAt, reader.bytesLength);
        break;
      case 8:
        reader.bytes();
        this.policy = reader.bytesAt;
        this.policyLength = cutText(this.policy, reader.bytesLength, MAX_TEXT);
        break;
      case 9:
        reader.bytes();
        this.rule = reader.bytesAt;
        this.ruleLength = cutText(this.rule, reader.bytesLength, MAX_TEXT);
        break;
      case 10:
        reader.bytes();
        this.readAudit(reader.bytesAt, reader.bytesLength);
        break;
      case 12:
        reader.bytes();
        this.readDelay(reader.bytesAt, reader.bytesLength);
        break;
      case 13:
        this.ttlMin = <u32>min(reader.number(), <u64>MAX_TTL);
        break;
      case 14:
        this.ttlMax = <u32>min(reader.number(), <u64>MAX_TTL);
        break;
      default:
        reader.skip();
    }
  }

  /** The block of what was read, with one reference. */
  build(): Verdict {
    const size =
      HEAD +
      this.edeLength +
      this.policyLength +
      this.ruleLength +
      this.auditsLength +
      this.recordsLength +
      this.delayCount * DELAY_SIZE +
      this.aliasLength;
    const verdict = changetype<Verdict>(heap.alloc(size));
    memory.fill(changetype<usize>(verdict), 0, HEAD);
    verdict.references = 1;
    verdict.size = <u32>size;
    verdict.action = <Action>this.action;
    verdict.upstream = this.upstream;
    verdict.view = this.view;
    verdict.rcode = this.rcode;
    verdict.edeCode = this.edeCode;
    verdict.ttl = this.ttl;
    verdict.soaLabels = this.soaLabels;
    verdict.form = this.form;
    verdict.delayCount = this.delayCount;
    verdict.aliasLength = this.aliasLength;
    verdict.ttlMin = this.ttlMin;
    verdict.ttlMax = this.ttlMax;
    verdict.recordCount = this.recordCount;
    verdict.recordsLength = this.recordsLength;
    verdict.edeLength = this.edeLength;
    verdict.policyLength = this.policyLength;
    verdict.ruleLength = this.ruleLength;
    verdict.auditCount = this.auditCount;
    verdict.auditsLength = this.auditsLength;
    memory.copy(edeTextAt(verdict), this.edeText, this.edeLength);
    memory.copy(policyAt(verdict), this.policy, this.policyLength);
    memory.copy(ruleAt(verdict), this.rule, this.ruleLength);
    memory.copy(auditsAt(verdict), this.audits, this.auditsLength);
    memory.copy(recordsAt(verdict), this.records, this.recordsLength);
    memory.copy(delaysAt(verdict), this.delays, this.delayCount * DELAY_SIZE);
    copyLower(aliasAt(verdict), this.alias, this.aliasLength);
    return verdict;
  }

  private finish(): void {
    if (this.inner.failed) this.broken = true;
  }

  private readAudit(at: usize, length: u32): void {
    let policy: usize = 0;
    let policyLength: u32 = 0;
    let rule: usize = 0;
    let ruleLength: u32 = 0;
    let action: u64 = 0;
    let chance: u64 = 0;
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) {
        reader.bytes();
        policy = reader.bytesAt;
        policyLength = cutText(policy, reader.bytesLength, MAX_NAME);
      } else if (reader.field == 2) {
        reader.bytes();
        rule = reader.bytesAt;
        ruleLength = cutText(rule, reader.bytesLength, MAX_NAME);
      } else if (reader.field == 3) action = reader.number();
      else if (reader.field == 4) chance = reader.number();
      else reader.skip();
    }
    this.finish();
    if (action > 255 || chance > <u64>CERTAIN) this.broken = true;
    if (this.broken || this.auditCount == MAX_AUDITS) return;
    const to = this.audits + this.auditsLength;
    store<u8>(to, <u8>action);
    store<u8>(to, <u8>policyLength, 1);
    store<u8>(to, <u8>ruleLength, 2);
    store<u16>(to, <u16>chance, 3);
    memory.copy(to + AUDIT_HEAD, policy, policyLength);
    memory.copy(to + AUDIT_HEAD + policyLength, rule, ruleLength);
    this.auditsLength += <u32>AUDIT_HEAD + policyLength + ruleLength;
    this.auditCount++;
  }

  private readDelay(at: usize, length: u32): void {
    let chance: u64 = 0;
    let milliseconds: u64 = 0;
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) chance = reader.number();
      else if (reader.field == 2) milliseconds = reader.number();
      else reader.skip();
    }
    this.finish();
    if (chance > <u64>CERTAIN || milliseconds > <u64>MAX_DELAY || this.delayCount == MAX_DELAYS) this.broken = true;
    if (this.broken) return;
    const to = this.delays + this.delayCount * DELAY_SIZE;
    store<u16>(to, <u16>chance);
    store<u16>(to, <u16>milliseconds, 2);
    this.delayCount++;
  }

  private readAnswer(at: usize, length: u32): void {
    this.beginAction(Action.Answer);
    this.form = Form.Records;
    let forwarded = false;
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          reader.bytes();
          this.readRecord(reader.bytesAt, reader.bytesLength);
          break;
        case 2:
          this.ttl = <u32>reader.number();
          break;
        case 3:
          this.soaLabels = <u32>reader.number();
          break;
        case 4:
          reader.bytes();
          this.alias = reader.bytesAt;
          this.aliasLength = reader.bytesLength;
          if (!isName(this.alias, this.aliasLength)) this.broken = true;
          break;
        case 5:
          reader.bytes();
          this.readPlace(reader.bytesAt, reader.bytesLength);
          forwarded = true;
          break;
        default:
          reader.skip();
      }
    }
    this.finish();
    if (this.aliasLength != 0 && !forwarded) this.broken = true;
  }

  private readPlace(at: usize, length: u32): void {
    const reader = this.innermost.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) this.upstream = <u32>reader.number();
      else if (reader.field == 2) this.view = reader.fixed64();
      else reader.skip();
    }
    if (reader.failed) this.broken = true;
  }

  private readFault(at: usize, length: u32): void {
    this.beginAction(Action.Fault);
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) this.rcode = <u32>reader.number();
      else if (reader.field == 2) {
        const form = reader.number();
        if (form > <u64>Form.Truncate) this.broken = true;
        else this.form = <Form>form;
      } else if (reader.field == 3) {
        reader.bytes();
        this.edeText = reader.bytesAt;
        this.edeLength = cutText(this.edeText, reader.bytesLength, MAX_TEXT);
      } else reader.skip();
    }
    this.finish();
  }

  private readRecord(at: usize, length: u32): void {
    let type: u64 = 0;
    let data: usize = 0;
    let dataLength: u32 = 0;
    const reader = this.innermost.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) type = reader.number();
      else if (reader.field == 2) {
        reader.bytes();
        data = reader.bytesAt;
        dataLength = reader.bytesLength;
      } else reader.skip();
    }
    const size = <u32>RECORD_HEAD + dataLength;
    const room = MAX_RECORDS * <u32>RECORD_HEAD + MAX_RECORDS_LENGTH - this.recordsLength;
    const fits = dataLength <= MAX_RECORDS_LENGTH && size <= room && this.recordCount < MAX_RECORDS;
    if (reader.failed || type == 0 || type > 0xffff || !fits) {
      this.broken = true;
      return;
    }
    const to = this.records + this.recordsLength;
    store<u16>(to, <u16>type);
    store<u16>(to, <u16>dataLength, 2);
    memory.copy(to + RECORD_HEAD, data, dataLength);
    this.recordsLength += size;
    this.recordCount++;
  }

  private readForward(at: usize, length: u32): void {
    this.beginAction(Action.Forward);
    this.readPlace(at, length);
  }

  private readDeny(at: usize, length: u32): void {
    this.beginAction(Action.Deny);
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          this.rcode = <u32>reader.number();
          break;
        case 2:
          this.edeCode = <u32>reader.number();
          break;
        case 3:
          reader.bytes();
          this.edeText = reader.bytesAt;
          this.edeLength = cutText(this.edeText, reader.bytesLength, MAX_TEXT);
          break;
        case 4:
          this.ttl = <u32>reader.number();
          break;
        case 5:
          this.soaLabels = <u32>reader.number();
          break;
        case 6: {
          const form = reader.number();
          if (form > <u64>Form.Records) this.broken = true;
          else this.form = <Form>form;
          break;
        }
        case 7:
          reader.bytes();
          this.readRecord(reader.bytesAt, reader.bytesLength);
          break;
        default:
          reader.skip();
      }
    }
    this.finish();
  }
}

/** Reads the body of a decision. Every field is valid after `read` returned true, until the next call. */
@final
export class VerdictReader {
  revision: u64 = 0;
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
  private readonly outcome: OutcomeReader = new OutcomeReader();
  private readonly alternative: OutcomeReader = new OutcomeReader();
  private subject: u64 = 0;
  private tenant: u32 = 0;
  private logAll: bool = false;
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
        default:
          outcome.field(reader);
      }
    }
    const broken = reader.failed || this.broken || outcome.broken;
    if (broken || this.subject == 0 || outcome.action == 0 || this.revision == 0) {
      releaseVerdict(this.first);
      this.first = null;
      return false;
    }
    this.chainWith(outcome.build());
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
    let size: u32 = 0;
    let at: Verdict | null = head;
    while (at !== null) {
      at.subject = this.subject;
      at.tenant = this.tenant;
      at.logAll = this.logAll;
      size += at.size;
      at = at.next;
    }
    head.size = size;
    this.first = null;
    this.verdict = head;
  }

  private clear(): void {
    this.revision = 0;
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
    this.broken = false;
    this.first = null;
    this.last = null;
    this.alternatives = 0;
    this.outcome.begin();
  }

  private finish(): void {
    if (this.inner.failed) this.broken = true;
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
    const sound = !alternative.broken && alternative.action != 0 && chance != 0 && chance <= <u64>CERTAIN;
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
      else reader.skip();
    }
    this.finish();
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

/** Whether these are the octets of one whole name, uncompressed. */
function isName(name: usize, length: u32): bool {
  if (length == 0 || length > 255) return false;
  let at: u32 = 0;
  while (at < length) {
    const size = <u32>load<u8>(name + at);
    if (size == 0) return at + 1 == length;
    if (size > 63) return false;
    at += size + 1;
  }
  return false;
}
