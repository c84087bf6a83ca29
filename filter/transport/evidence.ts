// What a client shows of itself besides its address: the listener that it came to, the principal of its certificate,
// the server name of its TLS handshake, the path of its DoH request. Each distinct combination is one object, so that
// comparing evidence is comparing numbers.

import { random64 } from "../host/host";
import { mix } from "../wire/name";
import { Transport } from "./transport";

/** What a plugin's configuration says of the listener that it stands in. */
export class Listener {
  /** The evidence of clients that show no more than this listener. */
  readonly evidence!: Evidence;
  readonly name: ArrayBuffer;
  /** A fixed identity (a sidecar's), or empty. */
  readonly tenant: ArrayBuffer;

  constructor(
    readonly transport: Transport,
    name: string,
    tenant: string,
  ) {
    this.name = String.UTF8.encode(name);
    this.tenant = String.UTF8.encode(tenant);
    this.evidence = new Evidence(nextNumber++, this);
  }
}

export class Evidence {
  principal: ArrayBuffer = NOTHING;
  serverName: ArrayBuffer = NOTHING;
  path: ArrayBuffer = NOTHING;
  /** Another with the same hash. */
  next: Evidence | null = null;
  private relevant: u32 = ALL;
  private relevantNumber: u32;

  constructor(
    readonly number: u32,
    readonly listener: Listener,
  ) {
    this.relevantNumber = number;
  }

  hasPath(at: usize, length: u32): bool {
    return <u32>this.path.byteLength == length && memory.compare(changetype<usize>(this.path), at, length) == 0;
  }

  /** The number of this evidence without what is not `relevant`, bits of Evidence in protos/sync.proto. */
  numberOf(relevant: u32): u32 {
    if (relevant != this.relevant) {
      setSpan(principal, relevant & PRINCIPAL ? changetype<usize>(this.principal) : 0, this.principal.byteLength);
      setSpan(serverName, relevant & SERVER_NAME ? changetype<usize>(this.serverName) : 0, this.serverName.byteLength);
      setSpan(path, relevant & PATH ? changetype<usize>(this.path) : 0, this.path.byteLength);
      this.relevant = relevant;
      this.relevantNumber = internEvidence(this.listener).number;
    }
    return this.relevantNumber;
  }
}

const PRINCIPAL: u32 = 1;
const SERVER_NAME: u32 = 2;
const PATH: u32 = 4;
const ALL: u32 = PRINCIPAL | SERVER_NAME | PATH;

const NOTHING = new ArrayBuffer(0);
let nextNumber: u32 = 1;

/** Longer values are cut: no rule names one. */
const MAX_VALUE: u32 = 512;
/** Combinations remembered; beyond it all are forgotten, and numbered anew as they come. */
const MAX_KNOWN: u32 = 4096;
const known = new StaticArray<Evidence | null>(MAX_KNOWN);
let knownCount: u32 = 0;
/** So that nobody can choose paths that collide. */
const seed: u64 = random64();

/** Octets of one kind of evidence; no octets where the client showed none. */
@unmanaged
class Span {
  at: usize;
  length: u32;
}
export const principal: Span = changetype<Span>(memory.data(8));
export const serverName: Span = changetype<Span>(memory.data(8));
export const path: Span = changetype<Span>(memory.data(8));

export function setSpan(span: Span, at: usize, length: u32): void {
  span.at = at;
  span.length = at == 0 ? 0 : min(length, MAX_VALUE);
}

/** The evidence of `listener` with what stands in `principal`, `serverName` and `path`. */
export function internEvidence(listener: Listener): Evidence {
  if (principal.length == 0 && serverName.length == 0 && path.length == 0) return listener.evidence;
  const row = hash(hash(hash(seed, principal), serverName), path) % MAX_KNOWN;
  let each = unchecked(known[<u32>row]);
  while (each !== null) {
    if (each.listener === listener && same(each)) return each;
    each = each.next;
  }
  if (knownCount++ == MAX_KNOWN) {
    known.fill(null);
    knownCount = 1;
  }
  const evidence = new Evidence(nextNumber++, listener);
  evidence.principal = copy(principal);
  evidence.serverName = copy(serverName);
  evidence.path = copy(path);
  evidence.next = unchecked(known[<u32>row]);
  unchecked((known[<u32>row] = evidence));
  return evidence;
}

function hash(before: u64, span: Span): u64 {
  let value = mix(before, span.length);
  for (let i: u32 = 0; i < span.length; i++) value = mix(value, load<u8>(span.at + i));
  return value;
}

/** The evidence with another path. */
export function withPath(evidence: Evidence, at: usize, length: u32): Evidence {
  setSpan(principal, changetype<usize>(evidence.principal), evidence.principal.byteLength);
  setSpan(serverName, changetype<usize>(evidence.serverName), evidence.serverName.byteLength);
  setSpan(path, at, length);
  return internEvidence(evidence.listener);
}

/** Whether the evidence is what stands in the spans. */
export function same(evidence: Evidence): bool {
  return (
    equals(evidence.principal, principal) && equals(evidence.serverName, serverName) && equals(evidence.path, path)
  );
}

function equals(value: ArrayBuffer, span: Span): bool {
  return <u32>value.byteLength == span.length && memory.compare(changetype<usize>(value), span.at, span.length) == 0;
}

function copy(span: Span): ArrayBuffer {
  const value = new ArrayBuffer(span.length);
  memory.copy(changetype<usize>(value), span.at, span.length);
  return value;
}
