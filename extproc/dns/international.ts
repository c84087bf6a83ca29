/**
 * Internationalized names: the label that the DNS has for one in another script (A-label and U-label, RFC 5890), by the rules of
 * browsers (UTS 46, not transitional).
 */
import { domainToASCII } from "node:url";
import { MAX_LABEL, MAX_NAME, wireLength, wireName } from "./names.ts";

/** What stands beside others in a label that is converted; whatever else does has a meaning in a URL's host. */
const CONVERTIBLE = /^[A-Za-z0-9_\u0080-\u{10ffff}-]+$/u;

/** The A-label; or the label in ASCII, for letters that are forms of ASCII's (of full width, say). Undefined where there is none. */
export function toALabel(text: string): string | undefined {
  if (!CONVERTIBLE.test(text)) return undefined;
  // In front of another label: digits alone would be read as an address.
  const host = domainToASCII(`${text}.a`);
  const label = host.slice(0, -2);
  return host.endsWith(".a") && /^[a-z0-9_-]+$/.test(label) && label.length <= MAX_LABEL ? label : undefined;
}

export interface CanonicalName {
  readonly wire: Uint8Array;
  /** Trailing labels of which the first has octets above 127; 0 where none has. */
  readonly international: number;
}

/**
 * The name by which one in wire format is judged: some clients send UTF-8, and some resolvers make A-labels of it. Labels that are no
 * UTF-8, or no U-label, stay as they are; so do those in front that would make the name too long.
 */
export function canonicalName(wire: Uint8Array): CanonicalName {
  if (wire.every((octet) => octet < 0x80)) return { wire, international: 0 };
  const labels: Uint8Array[] = [];
  for (let at = 0; at < wire.length && wire[at] !== 0; at += (wire[at] ?? 0) + 1) {
    labels.push(wire.subarray(at + 1, at + 1 + (wire[at] ?? 0)));
  }
  const first = labels.findIndex((label) => label.some((octet) => octet >= 0x80));
  return { wire: wireName(canonicalLabels(labels)), international: labels.length - first };
}

/** The same of labels, leftmost first. */
export function canonicalLabels(labels: readonly Uint8Array[]): Uint8Array[] {
  let length = wireLength(labels);
  return labels
    .toReversed()
    .map((label) => {
      const converted = convert(label);
      if (converted === undefined || length + converted.length - label.length > MAX_NAME) return label;
      length += converted.length - label.length;
      return converted;
    })
    .reverse();
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function convert(label: Uint8Array): Uint8Array | undefined {
  if (label.every((octet) => octet < 0x80)) return undefined;
  try {
    const converted = toALabel(utf8.decode(label));
    return converted === undefined ? undefined : Uint8Array.from(Buffer.from(converted, "latin1"));
  } catch {
    return undefined;
  }
}
