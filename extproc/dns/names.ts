/**
 * Names in wire format, as people read them and as keys of tables.
 */

/** Longest name, and longest label, in octets (RFC 1035, section 2.3.4). */
export const MAX_NAME = 255;
export const MAX_LABEL = 63;

const DOT = 0x2e;
const BACKSLASH = 0x5c;

/** Of labels without the root, leftmost first. */
export function wireName(labels: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from([...labels.flatMap((label) => [label.length, ...label]), 0]);
}

/** Octets of what `wireName` makes. */
export function wireLength(labels: readonly Uint8Array[]): number {
  return labels.reduce((sum, label) => sum + 1 + label.length, 1);
}

/** Presentation form with its final dot (RFC 1035, section 5.1; RFC 4343, section 2.1). Never throws. */
export function presentName(wire: Uint8Array): string {
  if (wire.length === 0) return "";
  let text = "";
  for (let at = 0; at < wire.length; ) {
    const length = wire[at] ?? 0;
    if (length === 0) break;
    for (let i = at + 1; i <= at + length && i < wire.length; i++) text += presentOctet(wire[i] ?? 0);
    text += ".";
    at += length + 1;
  }
  return text === "" ? "." : text;
}

/** The same of a name whose octets are characters, as keys of tables are. */
export function presentLabels(octets: string): string {
  return presentName(Buffer.from(octets, "latin1"));
}

function presentOctet(octet: number): string {
  if (octet === DOT || octet === BACKSLASH) return `\\${String.fromCharCode(octet)}`;
  if (octet > 0x20 && octet < 0x7f) return String.fromCharCode(octet);
  return `\\${String(octet).padStart(3, "0")}`;
}

const UPPER = /[A-Z]/;

/** Wire format as one character an octet, in lower case: a key that costs little. (A length octet is no letter.) */
export function foldedName(wire: Uint8Array): string {
  const text = latin1(wire);
  // Only these: toLowerCase() would change octets above 127, too.
  return UPPER.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;
}

export function latin1(octets: Uint8Array): string {
  // A field that a message does not have is a list of nothing, and no octets.
  if (octets.length === 0) return "";
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString("latin1");
}
