// @ts-nocheck AssemblyScript.
/** Token buckets of one budget, asked with a clock of the test's own. */
import { tellShare } from "../../../../filter/meter/bucket";
import { Buckets } from "../../../../filter/meter/buckets";
import { METER_SIZE, Meter } from "../../../../filter/meter/meter";
import { Peer } from "../../../../filter/transport/peer";
import { ProtoReader, ProtoWriter } from "../../../../filter/wire/protobuf";

const peer = new Peer();
const meter = changetype<Meter>(heap.alloc(METER_SIZE));
const uses = new ProtoWriter(65536);
const outer = new ProtoReader();
const inner = new ProtoReader();
let buckets = new Buckets(1 << 20, 0x5eed, 1);

export function open(budget: u32, concurrency: u32): void {
  buckets = new Buckets(budget, 0x5eed, concurrency);
}
export function setMeter(id: u64, byClient: u32, count: u32, perMilliseconds: u32, burst: u32): void {
  meter.id = id;
  meter.byClient = byClient != 0;
  meter.count = count;
  meter.perMilliseconds = perMilliseconds;
  meter.burst = burst;
}
export function setIPv4(address: u32): void {
  peer.setIPv4(address);
}
export function setIPv6(high: u64, low: u64): void {
  peer.setIPv6(high, low);
}
export function take(now: u64): u32 {
  return buckets.take(meter, peer, now) ? 1 : 0;
}
export function owe(now: u64): void {
  buckets.owe(meter, peer.high, peer.low, now);
}
export function has(now: u64): u32 {
  return buckets.has(meter, peer.high, peer.low, now) ? 1 : 0;
}
export function count(): u32 {
  return buckets.count;
}
export function bytes(): u32 {
  return <u32>buckets.bytes;
}
export function isDue(now: u64): u32 {
  return buckets.uses.isDue(now) ? 1 : 0;
}
/** How many uses are told, and the load of the last. */
export function tell(now: u64): u32 {
  uses.clear();
  buckets.uses.write(uses, now);
  let told: u32 = 0;
  for (outer.begin(uses.at, uses.length); outer.next(); told++) {
    outer.bytes();
    for (inner.begin(outer.bytesAt, outer.bytesLength); inner.next(); ) {
      if (inner.field == 4) load = <u32>inner.number();
      else inner.skip();
    }
  }
  return told;
}
let load: u32 = 0;
export function toldLoad(): u32 {
  return load;
}
/** Of a meter that counts all together. */
export function share(id: u64, millionths: u64, now: u64): void {
  const bucket = buckets.find(id, 0, 0);
  if (bucket !== null) tellShare(bucket, millionths, now);
}
