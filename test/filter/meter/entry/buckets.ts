// @ts-nocheck AssemblyScript.
/** Token buckets of one budget, asked with a clock of the test's own. */
import { Buckets } from "../../../../filter/meter/buckets";
import { METER_SIZE, Meter } from "../../../../filter/meter/meter";
import { Peer } from "../../../../filter/transport/peer";

const peer = new Peer();
const meter = changetype<Meter>(heap.alloc(METER_SIZE));
let buckets = new Buckets(1 << 20, 0x5eed);

export function open(budget: u32): void {
  buckets = new Buckets(budget, 0x5eed);
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
export function count(): u32 {
  return buckets.count;
}
export function bytes(): u32 {
  return <u32>buckets.bytes;
}
