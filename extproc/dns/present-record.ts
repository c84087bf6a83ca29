/**
 * A record's type and data as zone files have them; what parseRecord() of resources/ reads.
 */
import { presentAddress } from "./address.ts";
import { presentName } from "./names.ts";
import { typeName } from "./numbers.ts";

/** Data in base64. Types whose data is not read here are in the generic form of RFC 3597, section 5. */
export function presentRecord({ type, data }: { readonly type: number; readonly data: string }): string {
  const octets = Buffer.from(data, "base64");
  return `${typeName(type)} ${PRESENT[type]?.(octets) ?? presentGeneric(octets)}`;
}

const PRESENT: Readonly<Record<number, (octets: Buffer) => string | undefined>> = {
  1: (octets) => (octets.length === 4 ? presentAddress(octets) : undefined),
  2: presentName,
  5: presentName,
  12: presentName,
  15: (octets) => (octets.length > 2 ? `${octets.readUInt16BE(0)} ${presentName(octets.subarray(2))}` : undefined),
  16: presentTexts,
  28: (octets) => (octets.length === 16 ? presentAddress(octets) : undefined),
  33: (octets) => {
    if (octets.length <= 6) return undefined;
    const numbers = [0, 2, 4].map((at) => octets.readUInt16BE(at));
    return `${numbers.join(" ")} ${presentName(octets.subarray(6))}`;
  },
};

function presentTexts(octets: Buffer): string | undefined {
  const texts: string[] = [];
  for (let at = 0; at < octets.length; at += 1 + (octets[at] ?? 0)) {
    const text = octets.subarray(at + 1, at + 1 + (octets[at] ?? 0)).toString("utf8");
    texts.push(`"${text.replaceAll(/["\\]/g, "\\$&")}"`);
  }
  return texts.join(" ");
}

function presentGeneric(octets: Buffer): string {
  return `\\# ${octets.length}${octets.length === 0 ? "" : ` ${octets.toString("hex")}`}`;
}
