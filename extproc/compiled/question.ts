/**
 * A name in the form in which tries are walked: lower case, and where each label lies, counted from the root.
 */
import { fnv1a } from "./hash.ts";

export interface Question {
  /** Wire format in lower case (RFC 4343). */
  readonly octets: Uint8Array;
  /** Labels without the root. */
  readonly labels: number;
  /** Of the label that makes a name of i + 1 labels out of one of i: where it starts, its length, its FNV-1a. */
  readonly starts: Uint8Array;
  readonly lengths: Uint8Array;
  readonly hashes: Uint32Array;
}

/** Undefined for anything but one uncompressed name of at most 255 octets (RFC 1035 section 3.1). */
export function readQuestion(wire: Uint8Array): Question | undefined {
  if (wire.length === 0 || wire.length > 255) return undefined;
  const octets = new Uint8Array(wire.length);
  const positions: number[] = [];
  let at = 0;
  for (;;) {
    const length = wire[at];
    if (length === undefined || length > 63) return undefined;
    if (length === 0) break;
    positions.push(at + 1);
    octets[at] = length;
    const end = at + 1 + length;
    if (end >= wire.length) return undefined;
    for (at += 1; at < end; at++) octets[at] = lowerCase(wire[at] ?? 0);
  }
  if (at !== wire.length - 1) return undefined;
  const labels = positions.length;
  const question = {
    octets,
    labels,
    starts: new Uint8Array(labels),
    lengths: new Uint8Array(labels),
    hashes: new Uint32Array(labels),
  };
  for (let index = 0; index < labels; index++) {
    const start = positions[labels - 1 - index] ?? 0;
    const length = octets[start - 1] ?? 0;
    question.starts[index] = start;
    question.lengths[index] = length;
    question.hashes[index] = fnv1a(octets, start, start + length);
  }
  return question;
}

function lowerCase(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet;
}
