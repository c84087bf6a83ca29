// Reads what a verdict does: the fields that a Verdict and an Alternative of protos/verdict.proto have in common, into a block.

import { METER_SIZE, Meter } from "../meter/meter";
import { copyLower, isName, MAX_LABELS } from "../wire/name";
import { ProtoReader } from "../wire/protobuf";
import { cutText } from "../wire/text";
import { MeterReader } from "./meter-reader";
import {
  Action,
  AUDIT_HEAD,
  aliasAt,
  auditMeterAt,
  auditsAt,
  CERTAIN,
  DELAY_SIZE,
  delaysAt,
  edeTextAt,
  Form,
  HEAD,
  meterOf,
  nextAudit,
  policyAt,
  RECORD_HEAD,
  recordsAt,
  replacementAt,
  ruleAt,
  Verdict,
} from "./verdict";

const MAX_TEXT: u32 = 512;
/** An INFO-CODE has 16 bits (RFC 8914, section 2). */
const MAX_EDE: u32 = 65_535;
/** Names of policies and rules have 63 octets at most; what is longer is cut. */
const MAX_NAME: u32 = 253;
const MAX_AUDITS: u32 = 8;
const MAX_DELAYS: u32 = 8;
/** RFC 2181, section 8. */
const MAX_TTL: u32 = 0x7fff_ffff;
/** Milliseconds. */
const MAX_DELAY: u32 = 4000;
const MAX_RECORDS: u32 = 64;
const MAX_RECORDS_LENGTH: u32 = 4096;

/** Reads what is done, and by which rule: fields that a Verdict and an Alternative have in common. */
@final
export class OutcomeReader {
  broken: bool = false;
  action: u32 = 0;
  private upstream: u32 = 0;
  private view: u64 = 0;
  private rcode: u32 = 0;
  private edeCode: i32 = 0;
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
  private readonly audits: usize = heap.alloc(MAX_AUDITS * (AUDIT_HEAD + 2 * MAX_NAME + METER_SIZE));
  private meshView: u64 = 0;
  private ttlMin: u32 = 0;
  private ttlMax: u32 = 0;
  private strip: bool = false;
  private mirrorUpstream: u32 = 0;
  private mirrorChance: u32 = 0;
  private alias: usize = 0;
  private aliasLength: u32 = 0;
  private replacement: usize = 0;
  private replacementLength: u32 = 0;
  private replacedLabels: u32 = 0;
  private delayCount: u32 = 0;
  private readonly delays: usize = heap.alloc(MAX_DELAYS * <u32>DELAY_SIZE);
  private recordCount: u32 = 0;
  private recordsLength: u32 = 0;
  private readonly records: usize = heap.alloc(MAX_RECORDS * <u32>RECORD_HEAD + MAX_RECORDS_LENGTH);
  metered: bool = false;
  private readonly meter: MeterReader = new MeterReader();
  private readonly auditMeter: MeterReader = new MeterReader();
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
    this.meshView = 0;
    this.ttlMin = 0;
    this.ttlMax = 0;
    this.strip = false;
    this.mirrorUpstream = 0;
    this.mirrorChance = 0;
    this.metered = false;
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
    this.replacementLength = 0;
    this.replacedLabels = 0;
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
      case 16:
        this.strip = reader.number() != 0;
        break;
      case 17:
        reader.bytes();
        this.readRewrite(reader.bytesAt, reader.bytesLength);
        break;
      case 18:
        reader.bytes();
        this.readMirror(reader.bytesAt, reader.bytesLength);
        break;
      case 20:
        reader.bytes();
        this.metered = true;
        if (!this.meter.read(reader.bytesAt, reader.bytesLength)) this.broken = true;
        break;
      case 26:
        this.meshView = reader.fixed64();
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
      this.aliasLength +
      this.replacementLength +
      (this.metered ? METER_SIZE : 0);
    const verdict = changetype<Verdict>(heap.alloc(size));
    memory.fill(changetype<usize>(verdict), 0, HEAD);
    verdict.references = 1;
    verdict.size = <u32>size;
    verdict.action = <Action>this.action;
    verdict.upstream = this.upstream;
    verdict.view = this.view;
    verdict.meshView = this.meshView;
    verdict.rcode = this.rcode;
    verdict.edeCode = this.edeCode;
    verdict.ttl = this.ttl;
    verdict.soaLabels = this.soaLabels;
    verdict.form = this.form;
    verdict.delayCount = this.delayCount;
    verdict.aliasLength = this.aliasLength;
    verdict.replacementLength = this.replacementLength;
    verdict.replacedLabels = this.replacedLabels;
    verdict.ttlMin = this.ttlMin;
    verdict.ttlMax = this.ttlMax;
    verdict.strip = this.strip;
    verdict.mirrorUpstream = this.mirrorUpstream;
    verdict.mirrorChance = this.mirrorChance;
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
    copyLower(replacementAt(verdict), this.replacement, this.replacementLength);
    verdict.metered = this.metered;
    if (this.metered) this.meter.write(meterOf(verdict));
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
    let metered = false;
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
      else if (reader.field == 5) {
        reader.bytes();
        metered = true;
        if (!this.auditMeter.read(reader.bytesAt, reader.bytesLength)) this.broken = true;
      } else reader.skip();
    }
    this.finish();
    if (action > 255 || chance > <u64>CERTAIN) this.broken = true;
    if (this.broken || this.auditCount == MAX_AUDITS) return;
    const to = this.audits + this.auditsLength;
    store<u8>(to, <u8>action);
    store<u8>(to, <u8>policyLength, 1);
    store<u8>(to, <u8>ruleLength, 2);
    store<u16>(to, <u16>chance, 3);
    store<u8>(to, <u8>metered, 5);
    memory.copy(to + AUDIT_HEAD, policy, policyLength);
    memory.copy(to + AUDIT_HEAD + policyLength, rule, ruleLength);
    if (metered) this.auditMeter.write(changetype<Meter>(auditMeterAt(to)));
    this.auditsLength = <u32>(nextAudit(to) - this.audits);
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

  private readRewrite(at: usize, length: u32): void {
    this.beginAction(Action.Rewrite);
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) this.replacedLabels = <u32>min(reader.number(), <u64>MAX_LABELS);
      else if (reader.field == 2) {
        reader.bytes();
        this.replacement = reader.bytesAt;
        this.replacementLength = reader.bytesLength;
      } else if (reader.field == 3) {
        reader.bytes();
        this.readPlace(reader.bytesAt, reader.bytesLength);
      } else reader.skip();
    }
    this.finish();
    if (!isName(this.replacement, this.replacementLength)) this.broken = true;
  }

  private readMirror(at: usize, length: u32): void {
    let chance: u64 = 0;
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) this.mirrorUpstream = <u32>reader.number();
      else if (reader.field == 2) chance = reader.number();
      else reader.skip();
    }
    this.finish();
    if (chance > <u64>CERTAIN) this.broken = true;
    this.mirrorChance = <u32>chance;
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
          this.edeCode = <i32>min(reader.number(), <u64>MAX_EDE);
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
