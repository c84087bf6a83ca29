// From the octets of a stream to queries: capsules one after the other, in whatever parts DATA frames bring them.

import { Channel, Receiver } from "../channel";
import { giveAssembly, takeAssembly } from "./assembly";
import {
  capsuleLength,
  capsuleType,
  DATAGRAM,
  MAX_CAPSULE,
  MAX_CAPSULE_HEAD,
  MAX_DATAGRAM,
  payloadOffset,
  readCapsuleHead,
} from "./capsule";
import { TunnelCounters } from "./counters";
import { Session, Sessions } from "./sessions";

@final
export class DatagramReader {
  /** Monotonic microseconds of the input. */
  now: u64 = 0;

  constructor(
    private readonly receiver: Receiver,
    private readonly sessions: Sessions,
    private readonly counters: TunnelCounters,
  ) {}

  /** Hands the datagrams in a part of the session's stream to the flow. */
  read(channel: Channel, session: Session, at: usize, end: usize): void {
    const stream = session.stream;
    if (session.skip != 0 || session.assembly !== null) at = this.resume(channel, session, at, end);
    // What the flow does with a datagram may end the session, whose object is then another's.
    while (at < end && session.stream == stream) {
      const available = end - at;
      const head = readCapsuleHead(at, available);
      if (head == 0 || capsuleLength > available - head) {
        this.hold(session, at, <u32>available, head);
        return;
      }
      const length = <u32>capsuleLength;
      if (capsuleType == DATAGRAM) this.deliver(channel, session, at + head, length);
      else this.counters.capsulesSkipped++;
      at += head + length;
    }
  }

  private deliver(channel: Channel, session: Session, at: usize, length: u32): void {
    const offset = payloadOffset(at, length);
    if (offset == 0 || length - offset > MAX_DATAGRAM) {
      this.counters.datagramsMalformed++;
      return;
    }
    this.counters.datagramsReceived++;
    this.sessions.asked(session, this.now);
    this.receiver.receive(channel, session.stream, session, at + offset, length - offset);
  }

  /** Keeps the first part of a capsule; one that is not to be delivered is skipped without being kept. */
  private hold(session: Session, at: usize, available: u32, head: u32): void {
    if (head != 0 && this.isSkipped()) {
      session.skip = capsuleLength - (available - head);
      return;
    }
    const assembly = takeAssembly();
    if (assembly === null) {
      this.counters.datagramsMalformed++;
      // Without its head nobody knows where the capsule ends: the rest of the stream goes with it.
      session.skip = head == 0 ? u64.MAX_VALUE : capsuleLength - (available - head);
      return;
    }
    // A part without a whole head is shorter than one; others are bounded by `isSkipped`.
    memory.copy(assembly.at, at, available);
    assembly.length = available;
    session.assembly = assembly;
  }

  /** Whether the capsule whose head was read is none that can be delivered; it is counted. */
  private isSkipped(): bool {
    if (capsuleType != DATAGRAM) this.counters.capsulesSkipped++;
    else if (capsuleLength > MAX_CAPSULE - MAX_CAPSULE_HEAD) this.counters.datagramsMalformed++;
    else return false;
    return true;
  }

  /** Goes on with the capsule that began in an earlier part; where the next one begins. */
  private resume(channel: Channel, session: Session, at: usize, end: usize): usize {
    const assembly = session.assembly;
    if (assembly === null) return skip(session, at, end);
    let head = readCapsuleHead(assembly.at, assembly.length);
    // Octet by octet until the head is whole.
    while (head == 0) {
      if (at == end) return at;
      store<u8>(assembly.at + assembly.length, load<u8>(at++));
      head = readCapsuleHead(assembly.at, ++assembly.length);
      if (head != 0 && this.isSkipped()) {
        session.skip = capsuleLength;
        session.assembly = null;
        giveAssembly(assembly);
        return skip(session, at, end);
      }
    }
    const length = <u32>capsuleLength;
    const taken = min(head + length - assembly.length, <u32>(end - at));
    memory.copy(assembly.at + assembly.length, at, taken);
    assembly.length += taken;
    at += taken;
    if (assembly.length < head + length) return at;
    // Not the session's any more while the flow reads it, so that nobody else is given it meanwhile.
    session.assembly = null;
    this.deliver(channel, session, assembly.at + head, length);
    giveAssembly(assembly);
    return at;
  }
}

function skip(session: Session, at: usize, end: usize): usize {
  const skipped = min(session.skip, <u64>(end - at));
  session.skip -= skipped;
  return at + <usize>skipped;
}
