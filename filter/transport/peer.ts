// Who is at the other end of a connection or UDP session: the evidence by which policy knows a client, and what the
// flow remembers about it. Transports fill it in; the flow reads it.

import { Evidence } from "./evidence";

export class Peer {
  /** The address as an IPv6 number, IPv4 as ::ffff:0:0/96 (RFC 4291, section 2.5.5.2). */
  high: u64 = 0;
  low: u64 = 0;
  isIPv4: bool = false;
  /** What it shows besides its address; null until it is read. */
  evidence: Evidence | null = null;
  /** The flow's class for this client, right while `subjectEpoch` is the client table's epoch. */
  subject: u64 = 0;
  tenant: u32 = 0;
  subjectEpoch: u32 = 0;

  clearPeer(): void {
    this.high = 0;
    this.low = 0;
    this.isIPv4 = false;
    this.evidence = null;
    this.subject = 0;
    this.tenant = 0;
    this.subjectEpoch = 0;
  }

  copyPeer(other: Peer): void {
    this.high = other.high;
    this.low = other.low;
    this.isIPv4 = other.isIPv4;
    this.evidence = other.evidence;
    this.subject = other.subject;
    this.tenant = other.tenant;
    this.subjectEpoch = other.subjectEpoch;
  }

  setIPv4(address: u32): void {
    this.high = 0;
    this.low = 0x0000_ffff_0000_0000 | <u64>address;
    this.isIPv4 = true;
  }

  setIPv6(high: u64, low: u64): void {
    if (high == 0 && low >> 32 == 0xffff) {
      this.setIPv4(<u32>low);
      return;
    }
    this.high = high;
    this.low = low;
    this.isIPv4 = false;
  }
}
