// Counts and events of queries: what the policy service and Envoy are told of each. A query costs one addition in a table
// here; everything else is done when the counts are taken, once a second.

import { defineMetric, incrementMetric, Metric } from "../host/host";
import { Transport } from "../transport/transport";
import { mix } from "../wire/name";
import { ProtoWriter } from "../wire/protobuf";
import { Rcode, Type } from "../wire/types";
import { MAX_TENANTS, tenant } from "./tenants";

/** Outcome of protos/sync.proto. */
export const enum Outcome {
  Forwarded = 0,
  Denied = 1,
  Rejected = 2,
  Failed = 3,
  Faulted = 4,
  Answered = 5,
  Limited = 6,
}

/** CacheResult of protos/sync.proto. */
export const enum CacheResult {
  None = 0,
  Hit = 1,
  Miss = 2,
  Stale = 3,
  Prefetch = 4,
  Mesh = 5,
}

/** Audited of protos/sync.proto. */
export const enum Audited {
  Untouched = 0,
  Allowed = 1,
  WouldDeny = 2,
}

/** LATENCY_BOUNDS_US of protos/sync.proto. */
const BOUNDS: StaticArray<u32> = [
  100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
];
const BUCKETS: i32 = 16;

const CELLS: u32 = 8192;
/** What leaves of 64 bits the number of a cell. */
const CELL_SHIFT: u64 = 51;
const MAX_PROBES: u32 = 32;
const TRANSPORTS: u32 = 5;

/** Combinations of (tenant, transport, type, outcome, rcode, cache result, audited) and how often each came about. */
const keys = new StaticArray<u64>(CELLS);
const totals = new StaticArray<u64>(CELLS);
const reported = new StaticArray<u64>(CELLS);
const published = new StaticArray<u64>(CELLS);
/** Cells in use, in the order of their first use. */
const used = new StaticArray<u32>(CELLS);
let usedCount: u32 = 0;
/** Latencies by tenant and transport: BUCKETS counts and a sum of microseconds, 64 bits each. */
const latencies = new StaticArray<usize>((MAX_TENANTS + 2) * TRANSPORTS);
const LATENCY_SIZE: usize = (BUCKETS + 1) * 8;

/** Searches by tenant, answered and spared: since they were told to Envoy last. */
const SEARCH_RESULTS: u32 = 2;
const searches = new StaticArray<u64>((MAX_TENANTS + 2) * SEARCH_RESULTS);
let searched = false;

export function countQuery(
  tenantNumber: u32,
  transport: Transport,
  type: u32,
  outcome: Outcome,
  rcode: u32,
  cache: CacheResult,
  audited: Audited,
  microseconds: u64,
): void {
  // An extended RCODE has 12 bits (RFC 6891, section 6.1.3). The top bit says that the cell is in use.
  const key =
    ((<u64>1) << 63) |
    ((<u64>audited) << 56) |
    ((<u64>tenantNumber) << 40) |
    ((<u64>countedType(type)) << 24) |
    ((<u64>rcode) << 12) |
    ((<u64>outcome) << 8) |
    ((<u64>transport) << 4) |
    cache;
  let cell = cellOf(key);
  if (cell == CELLS) cell = cellOf(key & 0x8000_0000_00ff_ffff);
  if (cell != CELLS) unchecked((totals[cell] += 1));

  const row = tenantNumber * TRANSPORTS + transport;
  let latency = unchecked(latencies[row]);
  if (latency == 0) {
    latency = heap.alloc(LATENCY_SIZE);
    memory.fill(latency, 0, LATENCY_SIZE);
    unchecked((latencies[row] = latency));
  }
  let bucket = 0;
  while (bucket < BUCKETS - 1 && microseconds > unchecked(BOUNDS[bucket])) bucket++;
  const at = latency + (bucket << 3);
  store<u64>(at, load<u64>(at) + 1);
  const sum = latency + (BUCKETS << 3);
  store<u64>(sum, load<u64>(sum) + microseconds);
}

/** A search that was answered with its first question, and how many more its client need not ask. */
export function countSearch(tenantNumber: u32, spared: u32): void {
  const at = tenantNumber * SEARCH_RESULTS;
  unchecked((searches[at] += 1));
  unchecked((searches[at + 1] += spared));
  searched = true;
}

/** The cell of this key, or CELLS where there is no room for it. */
function cellOf(key: u64): u32 {
  // The highest bits: only they depend on all of the key, whose tenant stands above bit 40.
  let cell = <u32>(mix(key, 0) >> CELL_SHIFT);
  for (let probe: u32 = 0; probe < MAX_PROBES; probe++) {
    const there = unchecked(keys[cell]);
    if (there == key) return cell;
    if (there == 0) {
      unchecked((keys[cell] = key));
      unchecked((used[usedCount++] = cell));
      return cell;
    }
    cell = (cell + 1) & (CELLS - 1);
  }
  return CELLS;
}

/** Types that are counted one by one. */
function countedType(type: u32): u32 {
  switch (type) {
    case Type.A:
    case Type.NS:
    case Type.CNAME:
    case Type.SOA:
    case Type.PTR:
    case Type.MX:
    case Type.TXT:
    case Type.AAAA:
    case Type.SRV:
    case Type.NAPTR:
    case Type.DS:
    case Type.DNSKEY:
    case Type.TLSA:
    case Type.SVCB:
    case Type.HTTPS:
    case Type.AXFR:
    case Type.IXFR:
    case Type.ANY:
    case Type.CAA:
      return type;
    default:
      return 0;
  }
}

// ---- to the policy service -----------------------------------------------------------------------------------------

/** Cells and latencies of a report that has no room for more follow in the next. */
let nextCell: u32 = 0;

/** Writes what has changed since the last report, as far as it fits; whether all of it did. */
export function writeCounters(out: ProtoWriter): bool {
  for (let n: u32 = 0; n < usedCount; n++) {
    if (nextCell >= usedCount) nextCell = 0;
    const cell = unchecked(used[nextCell]);
    const count = unchecked(totals[cell]) - unchecked(reported[cell]);
    if (count != 0) {
      const start = out.length;
      writeCounter(out, unchecked(keys[cell]), count);
      if (out.full) {
        out.rewind(start);
        return false;
      }
      unchecked((reported[cell] = unchecked(totals[cell])));
    }
    nextCell++;
  }
  for (let row = 0; row < latencies.length; row++) {
    const latency = unchecked(latencies[row]);
    if (latency == 0 || isEmpty(latency)) continue;
    const start = out.length;
    writeLatency(out, <u32>row, latency);
    if (out.full) {
      out.rewind(start);
      return false;
    }
    memory.fill(latency, 0, LATENCY_SIZE);
  }
  return true;
}

function writeCounter(out: ProtoWriter, key: u64, count: u64): void {
  const who = tenant(tenantOf(key));
  const start = out.beginMessage(3);
  out.bytes(1, who.name, who.length);
  out.number(2, (key >> 4) & 15);
  out.number(3, (key >> 24) & 0xffff);
  out.number(4, (key >> 8) & 15);
  out.number(5, rcodeOf(key));
  out.number(6, key & 3);
  out.number(7, count);
  out.number(8, auditedOf(key));
  out.endMessage(start);
}

function isEmpty(latency: usize): bool {
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    if (load<u64>(latency + (bucket << 3)) != 0) return false;
  }
  return true;
}

const packed: usize = heap.alloc(BUCKETS * 10);

function writeLatency(out: ProtoWriter, row: u32, latency: usize): void {
  const who = tenant(row / TRANSPORTS);
  const start = out.beginMessage(4);
  out.bytes(1, who.name, who.length);
  out.number(2, row % TRANSPORTS);
  let at = packed;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    let count = load<u64>(latency + (bucket << 3));
    while (count >= 0x80) {
      store<u8>(at++, <u8>count | 0x80);
      count >>= 7;
    }
    store<u8>(at++, <u8>count);
  }
  out.bytes(3, packed, <u32>(at - packed));
  out.number(4, load<u64>(latency + (BUCKETS << 3)));
  out.endMessage(start);
}

function tenantOf(key: u64): u32 {
  return <u32>(key >> 40) & 0xffff;
}

function auditedOf(key: u64): u32 {
  return <u32>(key >> 56) & 3;
}

function rcodeOf(key: u64): u32 {
  return <u32>(key >> 12) & 0xfff;
}

// ---- to Envoy ------------------------------------------------------------------------------------------------------

/** Envoy's ids of metrics, by what they count. Defining one is slow and for ever; there are a few dozen a tenant. */
const metrics = new Map<u64, u32>();
const QUERIES: u64 = 1;
const VERDICTS: u64 = 2;
const RESPONSES: u64 = 3;
const CACHE: u64 = 4;
const AUDITED: u64 = 5;
const SEARCHES: u64 = 6;

/** Brings Envoy's counters up to date. */
export function publishCounters(): void {
  for (let n: u32 = 0; n < usedCount; n++) {
    const cell = unchecked(used[n]);
    const count = <i64>(unchecked(totals[cell]) - unchecked(published[cell]));
    if (count == 0) continue;
    unchecked((published[cell] = unchecked(totals[cell])));
    const key = unchecked(keys[cell]);
    const who = tenantOf(key);
    incrementMetric(metric(QUERIES, who, <u32>(key >> 4) & 15), count);
    incrementMetric(metric(VERDICTS, who, <u32>(key >> 8) & 15), count);
    incrementMetric(metric(RESPONSES, who, rcodeOf(key)), count);
    const cache = <u32>key & 3;
    const audited = auditedOf(key);
    if (audited != Audited.Untouched) incrementMetric(metric(AUDITED, who, audited), count);
    if (cache != CacheResult.None) incrementMetric(metric(CACHE, who, cache), count);
  }
  if (searched) publishSearches();
}

function publishSearches(): void {
  searched = false;
  for (let n: u32 = 0; n < <u32>searches.length; n++) {
    const count = <i64>unchecked(searches[n]);
    if (count == 0) continue;
    unchecked((searches[n] = 0));
    incrementMetric(metric(SEARCHES, n / SEARCH_RESULTS, n % SEARCH_RESULTS), count);
  }
}

function metric(kind: u64, who: u32, value: u32): u32 {
  const key = (kind << 48) | ((<u64>who) << 16) | value;
  if (metrics.has(key)) return metrics.get(key);
  const id = defineMetric(Metric.Counter, metricName(kind, who, value));
  metrics.set(key, id);
  return id;
}

const TRANSPORT_NAMES: StaticArray<string> = ["udp", "tcp", "dot", "doh", "doh3"];
const OUTCOME_NAMES: StaticArray<string> = [
  "forwarded",
  "denied",
  "rejected",
  "failed",
  "faulted",
  "answered",
  "limited",
];
const AUDITED_NAMES: StaticArray<string> = ["untouched", "allowed", "would_deny"];
const SEARCH_NAMES: StaticArray<string> = ["answered", "spared"];
const CACHE_NAMES: StaticArray<string> = ["none", "hit", "miss", "stale"];

/** A part of a metric's name: Envoy splits names at dots. */
export function metricPart(text: string): string {
  return text.length == 0 ? "none" : text.replaceAll(".", "_");
}

function metricName(kind: u64, who: u32, value: u32): string {
  const name = metricPart(tenant(who).text);
  if (kind == QUERIES) return "dns.queries.tenant." + name + ".transport." + TRANSPORT_NAMES[value];
  if (kind == VERDICTS) return "dns.verdicts.tenant." + name + ".verdict." + OUTCOME_NAMES[value];
  if (kind == RESPONSES) return "dns.responses.tenant." + name + ".rcode." + rcodeName(value);
  if (kind == AUDITED) return "dns.audited.tenant." + name + ".audit." + AUDITED_NAMES[value];
  if (kind == SEARCHES) return "dns.searches.tenant." + name + ".result." + SEARCH_NAMES[value];
  return "dns.cache.tenant." + name + ".result." + CACHE_NAMES[value];
}

function rcodeName(rcode: u32): string {
  switch (rcode) {
    case Rcode.NOERROR:
      return "NOERROR";
    case Rcode.FORMERR:
      return "FORMERR";
    case Rcode.SERVFAIL:
      return "SERVFAIL";
    case Rcode.NXDOMAIN:
      return "NXDOMAIN";
    case Rcode.NOTIMP:
      return "NOTIMP";
    case Rcode.REFUSED:
      return "REFUSED";
    case Rcode.NONE:
      return "NONE";
    default:
      return rcode.toString();
  }
}

// ---- decisions -----------------------------------------------------------------------------------------------------

const DECISION_NAMES: StaticArray<string> = ["ok", "failed", "late"];
const decisionMetrics = new StaticArray<u32>(3);

/** A decision came: good, or of an older revision (`late`), or not at all. */
export function countDecision(good: bool, late: bool): void {
  const result = good ? 0 : late ? 2 : 1;
  if (decisionMetrics[result] == 0) {
    decisionMetrics[result] = defineMetric(Metric.Counter, "dns.decisions.result." + DECISION_NAMES[result]);
  }
  incrementMetric(decisionMetrics[result], 1);
}
