// Asking the policy service: one HTTP call through Envoy's ext_proc for a question that no known verdict covers.
// Identical questions are asked once; how many are under way is bounded by whoever calls `start`.

import { WaitList } from "../cache/wait-list";
import { Buffer, Headers, httpCall, isOkResponse, readBuffer, Text } from "../host/host";
import { Evidence } from "../transport/evidence";
import { Peer } from "../transport/peer";
import { Transport } from "../transport/transport";
import { mix, NameKey } from "../wire/name";
import { CLASS_IN, Flag, HEADER_SIZE, write16 } from "../wire/types";

const CLUSTER = new Text("dns_policy");
const METHOD = new Text(":method");
const PATH = new Text(":path");
const AUTHORITY = new Text(":authority");
const CLIENT = new Text("x-dns-client");
const LISTENER = new Text("x-dns-listener");
const TRANSPORT = new Text("x-dns-transport");
const PRINCIPAL = new Text("x-dns-principal");
const SERVER_NAME = new Text("x-dns-server-name");
const DOH_PATH = new Text("x-dns-path");
const TENANT = new Text("x-dns-tenant");
const GET = new Text("GET");
const PROTOBUF = new Text("application/x-protobuf");
const PATH_PREFIX = new Text("/dns-query?dns=");
const TRANSPORTS: StaticArray<Text> = [
  new Text("udp"),
  new Text("tcp"),
  new Text("dot"),
  new Text("doh"),
  new Text("doh3"),
];

/** A question that the policy service was asked. */
export class Decision {
  token: u32 = 0;
  readonly waiters: WaitList = new WaitList();
  readonly key: NameKey = new NameKey();
  type: u32 = 0;
  /** A copy of the client that asked first; all who wait are the same to policy, or the same client. */
  readonly peer: Peer = new Peer();
  /** Subject that is known already, 0 where the decision is about the client too. */
  subject: u64 = 0;
  /** Of the client table, when it was asked. */
  epoch: u32 = 0;
  transport: Transport = Transport.Udp;
  hash: u64 = 0;
  next: Decision | null = null;
  nextByToken: Decision | null = null;
}

const BUCKETS: u32 = 1024;

@final
export class Decisions {
  private readonly byQuestion: StaticArray<Decision | null> = new StaticArray<Decision | null>(BUCKETS);
  private readonly byToken: StaticArray<Decision | null> = new StaticArray<Decision | null>(BUCKETS);
  private readonly pool: Array<Decision> = new Array<Decision>();
  private readonly headers: Headers = new Headers(4096);
  private readonly path: usize = heap.alloc(512);
  private readonly address: usize = heap.alloc(48);
  private readonly message: usize = heap.alloc(280);
  /** Under way. */
  count: u32 = 0;

  constructor(private readonly timeoutMilliseconds: u32) {}

  /** The decision under way that will answer this question too, or null. */
  underWay(peer: Peer, subject: u64, transport: Transport, key: NameKey, type: u32): Decision | null {
    const hash = hashOf(peer, subject, transport, key, type);
    let decision = unchecked(this.byQuestion[<u32>hash & (BUCKETS - 1)]);
    while (decision !== null) {
      if (
        decision.hash == hash &&
        decision.type == type &&
        decision.subject == subject &&
        decision.transport == transport &&
        decision.key.equals(key.at, key.length) &&
        (subject != 0 || samePeer(decision.peer, peer))
      ) {
        return decision;
      }
      decision = decision.next;
    }
    return null;
  }

  /** Asks. Null where the call could not be made: the service counts as away. */
  start(peer: Peer, subject: u64, transport: Transport, key: NameKey, type: u32): Decision | null {
    const evidence = peer.evidence;
    if (evidence === null) return null;
    this.buildHeaders(peer, evidence, transport, key, type);
    const token = httpCall(CLUSTER.at, CLUSTER.length, this.headers, 0, 0, this.timeoutMilliseconds);
    if (token == 0) return null;
    const decision = this.pool.length > 0 ? this.pool.pop() : new Decision();
    decision.token = token;
    decision.key.copy(key);
    decision.type = type;
    decision.subject = subject;
    decision.transport = transport;
    decision.peer.high = peer.high;
    decision.peer.low = peer.low;
    decision.peer.isIPv4 = peer.isIPv4;
    decision.peer.evidence = evidence;
    decision.peer.subjectEpoch = 0;
    decision.hash = hashOf(peer, subject, transport, key, type);
    const bucket = <u32>decision.hash & (BUCKETS - 1);
    decision.next = unchecked(this.byQuestion[bucket]);
    unchecked((this.byQuestion[bucket] = decision));
    decision.nextByToken = unchecked(this.byToken[token & (BUCKETS - 1)]);
    unchecked((this.byToken[token & (BUCKETS - 1)] = decision));
    this.count++;
    return decision;
  }

  /** Takes the decision that this call's response is for; null where it is not one of ours. */
  take(token: u32): Decision | null {
    const bucket = token & (BUCKETS - 1);
    let before: Decision | null = null;
    let decision = unchecked(this.byToken[bucket]);
    while (decision !== null && decision.token != token) {
      before = decision;
      decision = decision.nextByToken;
    }
    if (decision === null) return null;
    if (before !== null) before.nextByToken = decision.nextByToken;
    else unchecked((this.byToken[bucket] = decision.nextByToken));
    this.unlink(decision);
    this.count--;
    return decision;
  }

  /** Gives a decision back that nobody waits for any more. */
  recycle(decision: Decision): void {
    decision.next = null;
    decision.nextByToken = null;
    decision.peer.evidence = null;
    this.pool.push(decision);
  }

  /** The body of the response, `readLength` octets, where the call brought one that may be a Verdict; 0 otherwise. */
  body(headerCount: u32, bodySize: u32): usize {
    if (headerCount == 0 || bodySize == 0) return 0;
    if (!isOkResponse(PROTOBUF)) return 0;
    return readBuffer(Buffer.HttpCallResponseBody, 0, bodySize);
  }

  private unlink(decision: Decision): void {
    const bucket = <u32>decision.hash & (BUCKETS - 1);
    let at = unchecked(this.byQuestion[bucket]);
    if (at === decision) {
      unchecked((this.byQuestion[bucket] = decision.next));
      return;
    }
    while (at !== null) {
      if (at.next === decision) {
        at.next = decision.next;
        return;
      }
      at = at.next;
    }
  }

  private buildHeaders(peer: Peer, evidence: Evidence, transport: Transport, key: NameKey, type: u32): void {
    const headers = this.headers;
    headers.clear();
    headers.addText(METHOD, GET);
    headers.add(PATH, this.path, this.writePath(key, type));
    headers.addText(AUTHORITY, CLUSTER);
    headers.add(CLIENT, this.address, writeAddress(peer, this.address));
    headers.addText(TRANSPORT, unchecked(TRANSPORTS[transport]));
    addOctets(headers, LISTENER, evidence.listener.name);
    addOctets(headers, TENANT, evidence.listener.tenant);
    addOctets(headers, PRINCIPAL, evidence.principal);
    addOctets(headers, SERVER_NAME, evidence.serverName);
    addOctets(headers, DOH_PATH, evidence.path);
  }

  private writePath(key: NameKey, type: u32): u32 {
    const message = this.message;
    memory.fill(message, 0, HEADER_SIZE);
    write16(message + 2, Flag.RD);
    write16(message + 4, 1);
    memory.copy(message + HEADER_SIZE, key.at, key.length);
    write16(message + HEADER_SIZE + key.length, type);
    write16(message + HEADER_SIZE + key.length + 2, CLASS_IN);
    memory.copy(this.path, PATH_PREFIX.at, PATH_PREFIX.length);
    const size = HEADER_SIZE + key.length + 4;
    return PATH_PREFIX.length + writeBase64url(message, size, this.path + PATH_PREFIX.length);
  }
}

function addOctets(headers: Headers, name: Text, value: ArrayBuffer): void {
  if (value.byteLength != 0) headers.add(name, changetype<usize>(value), value.byteLength);
}

function samePeer(a: Peer, b: Peer): bool {
  return a.high == b.high && a.low == b.low && a.evidence === b.evidence;
}

function hashOf(peer: Peer, subject: u64, transport: Transport, key: NameKey, type: u32): u64 {
  const client = subject != 0 ? subject : mix(peer.high, peer.low);
  return mix(mix(key.hash, client), (type << 3) | transport);
}

const BASE64URL = new Text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

/** RFC 4648, section 5, without padding. Returns the octets written. */
function writeBase64url(from: usize, size: u32, to: usize): u32 {
  let out = to;
  let bits: u32 = 0;
  let count: u32 = 0;
  for (let i: u32 = 0; i < size; i++) {
    bits = (bits << 8) | load<u8>(from + i);
    count += 8;
    while (count >= 6) {
      count -= 6;
      store<u8>(out++, load<u8>(BASE64URL.at + ((bits >> count) & 63)));
    }
  }
  if (count > 0) store<u8>(out++, load<u8>(BASE64URL.at + ((bits << (6 - count)) & 63)));
  return <u32>(out - to);
}

const HEX = new Text("0123456789abcdef");

/** The address as text; IPv6 with all eight groups. Returns the octets written, at most 39. */
function writeAddress(peer: Peer, to: usize): u32 {
  let out = to;
  if (peer.isIPv4) {
    for (let shift: i32 = 24; shift >= 0; shift -= 8) {
      const octet = <u32>(peer.low >> shift) & 255;
      if (octet >= 100) store<u8>(out++, <u8>(0x30 + octet / 100));
      if (octet >= 10) store<u8>(out++, <u8>(0x30 + ((octet / 10) % 10)));
      store<u8>(out++, <u8>(0x30 + (octet % 10)));
      if (shift > 0) store<u8>(out++, 0x2e);
    }
    return <u32>(out - to);
  }
  for (let group = 0; group < 8; group++) {
    const half = group < 4 ? peer.high : peer.low;
    const value = <u32>(half >> (48 - 16 * (group & 3))) & 0xffff;
    for (let shift: i32 = 12; shift >= 0; shift -= 4) store<u8>(out++, load<u8>(HEX.at + ((value >> shift) & 15)));
    if (group < 7) store<u8>(out++, 0x3a);
  }
  return <u32>(out - to);
}
