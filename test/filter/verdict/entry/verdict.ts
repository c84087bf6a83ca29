// @ts-nocheck AssemblyScript.
/** Verdicts read, kept by scope, and clients kept by address block. */
import { Evidence, internEvidence, Listener, principal, setSpan } from "../../../../filter/transport/evidence";
import { Peer } from "../../../../filter/transport/peer";
import { ClientTable } from "../../../../filter/verdict/clients";
import { limitsOf } from "../../../../filter/verdict/tenant-limits";
import {
  auditsAt,
  edeTextAt,
  nextAudit,
  policyAt,
  releaseVerdict,
  retainVerdict,
  ruleAt,
  Verdict,
} from "../../../../filter/verdict/verdict";
import { VerdictCache } from "../../../../filter/verdict/verdict-cache";
import { VerdictReader } from "../../../../filter/verdict/verdict-reader";
import { NameKey, seedNameHashes } from "../../../../filter/wire/name";

const input: usize = heap.alloc(1 << 17);
const output: usize = heap.alloc(1 << 17);
const reader = new VerdictReader();
const key = new NameKey();
const peer = new Peer();
const listener = new Listener(0, "udp", "");

/** Two clients of one listener with different principals. */
function evidenceOf(text: string): Evidence {
  const bytes = String.UTF8.encode(text);
  setSpan(principal, changetype<usize>(bytes), bytes.byteLength);
  return internEvidence(listener);
}
const evidences: StaticArray<Evidence> = [evidenceOf("spiffe://a"), evidenceOf("spiffe://b")];
let cache = new VerdictCache(1 << 20);
let clients = new ClientTable(1 << 20);
let held: Verdict | null = null;

export function inputAt(): usize {
  return input;
}
export function outputAt(): usize {
  return output;
}
export function open(budget: u32): void {
  seedNameHashes(0x5eed);
  cache = new VerdictCache(budget);
  clients = new ClientTable(budget);
}

/** Of the verdict's tenant: pending, connections, share of the cache, and the denial's INFO-CODE; -1 where it has none. */
export function limit(index: u32): i32 {
  const verdict = held;
  if (verdict === null) return -1;
  const limits = limitsOf(verdict.tenant);
  if (limits === null) return -1;
  const denial = limits.denial;
  if (index == 3) return denial === null ? -1 : <i32>denial.edeCode;
  if (index == 2) return <i32>limits.cacheShare;
  return <i32>(index == 0 ? limits.pending : limits.connections);
}

/** Whether the octets at `inputAt` are a Verdict, which is then held. */
export function read(length: u32): u32 {
  releaseVerdict(held);
  const isVerdict = reader.read(input, length);
  held = reader.verdict;
  return isVerdict ? 1 : 0;
}
/** In the order of the names in the tests; -1 where there is no verdict. */
export function field(index: u32): i64 {
  const verdict = held;
  if (verdict === null) return -1;
  if (index == 0) return reader.revision;
  if (index == 1) return reader.prefix;
  if (index == 2) return reader.labels;
  if (index == 3) return reader.extent;
  if (index == 4) return reader.exceptCount;
  if (index == 5) return reader.typeCount;
  if (index == 6) return reader.typesExcluded ? 1 : 0;
  if (index == 7) return reader.transports;
  if (index == 8) return reader.lifetime;
  if (index == 9) return verdict.action;
  if (index == 10) return verdict.subject;
  if (index == 11) return verdict.logAll ? 1 : 0;
  if (index == 12) return verdict.upstream;
  if (index == 13) return verdict.view;
  if (index == 14) return verdict.rcode;
  if (index == 15) return verdict.edeCode;
  if (index == 16) return verdict.ttl;
  if (index == 17) return verdict.soaLabels;
  if (index == 18) return verdict.tenant;
  if (index == 19) return verdict.references;
  if (index == 20) return verdict.sample;
  return verdict.currentOnly ? 1 : 0;
}
export function listed(types: u32, index: u32): u32 {
  return types ? reader.types[index] : reader.except[index];
}
/** 0: EXTRA-TEXT, 1: policy, 2: rule; its length, its octets at `outputAt`. */
export function text(which: u32): u32 {
  const verdict = held;
  if (verdict === null) return 0;
  const length = which == 0 ? verdict.edeLength : which == 1 ? verdict.policyLength : verdict.ruleLength;
  const at = which == 0 ? edeTextAt(verdict) : which == 1 ? policyAt(verdict) : ruleAt(verdict);
  memory.copy(output, at, length);
  return length;
}

/** The audits as they are kept, at `outputAt`; how many octets. */
export function audits(): u32 {
  const verdict = held;
  if (verdict === null) return 0;
  let at = auditsAt(verdict);
  for (let i: u32 = 0; i < verdict.auditCount; i++) at = nextAudit(at);
  const length = <u32>(at - auditsAt(verdict));
  memory.copy(output, auditsAt(verdict), length);
  return length;
}
/** Of the chain that is held, block `index`: its chance in the upper half, its action in the lower; -1 beyond. */
export function chained(index: u32): i32 {
  let at = held;
  for (let i: u32 = 0; i < index && at !== null; i++) at = at.next;
  return at === null ? -1 : <i32>((at.chance << 16) | <u32>at.action);
}
/** Holds the next block of the chain instead of the head. */
export function holdNext(): void {
  const head = held;
  if (head === null) return;
  const next: Verdict | null = head.next;
  if (next !== null) retainVerdict(next);
  held = next;
  releaseVerdict(head);
}

/** The name at `inputAt` is what the functions below are about. */
export function setKey(length: u32): void {
  key.set(input, length);
}
/** Keeps the verdict that was read. */
export function put(type: u32, transport: u32, now: u64): u32 {
  return cache.put(reader, key, type, transport, now) ? 1 : 0;
}
/** The upstream of the verdict that is found, or 0. */
export function find(subject: u32, type: u32, transport: u32, now: u64): u32 {
  const verdict = cache.find(subject, key, type, transport, now);
  return verdict === null ? 0 : verdict.upstream;
}
/** Forgets what is near the names of the ListsChanged at `inputAt`. */
export function forgetNear(length: u32): u32 {
  return cache.forgetNear(input, length) ? 1 : 0;
}
export function foundLasting(): u32 {
  return cache.foundLasting ? 1 : 0;
}
/** Holds the verdict that is found as a query does; its references then. */
export function hold(subject: u32, type: u32, transport: u32): u32 {
  const verdict = cache.find(subject, key, type, transport, 0);
  if (verdict === null) return 0;
  releaseVerdict(held);
  held = retainVerdict(verdict);
  return verdict.references;
}
export function clear(): void {
  cache.clear();
}
export function count(): u32 {
  return cache.count;
}
export function octets(): u32 {
  return <u32>cache.bytes;
}

export function setPeer4(address: u32, evidence: u32): void {
  peer.clearPeer();
  peer.setIPv4(address);
  peer.evidence = evidences[evidence];
}
export function setPeer6(high: u64, low: u64, evidence: u32): void {
  peer.clearPeer();
  peer.setIPv6(high, low);
  peer.evidence = evidences[evidence];
}
export function setUnknownPeer(): void {
  peer.clearPeer();
}
export function putClient(prefix: u32, subject: u32, tenant: u32): void {
  clients.put(peer, prefix, subject, tenant);
}
/** The peer's subject; with `forgetting`, it is looked up and not remembered from before. */
export function findClient(forgetting: u32): u32 {
  if (forgetting) peer.subjectEpoch = 0;
  return <u32>clients.find(peer);
}
export function peerTenant(): u32 {
  return peer.tenant;
}
export function forgetClients(relevant: u32): void {
  clients.forget(relevant);
}
export function clientCount(): u32 {
  return clients.count;
}
export function clientOctets(): u32 {
  return <u32>clients.bytes;
}
