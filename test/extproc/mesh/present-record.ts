/**
 * Records of the mesh as people write them.
 */
import ipaddr from "ipaddr.js";
import { presentName } from "../../../extproc/dns/names.ts";
import type { RecordData } from "../../../extproc/mesh/names/wire.ts";

const TYPES: Record<number, string> = { 1: "A", 5: "CNAME", 12: "PTR", 16: "TXT", 28: "AAAA", 33: "SRV" };

export function presentRecord({ type, data }: RecordData): string {
  const octets = Buffer.from(data, "latin1");
  const name = (at: number) => presentName(octets.subarray(at)).slice(0, -1);
  if (type === 1 || type === 28) return `${TYPES[type]} ${ipaddr.fromByteArray([...octets]).toString()}`;
  if (type === 33) return `SRV ${[0, 2, 4].map((at) => octets.readUInt16BE(at)).join(" ")} ${name(6)}`;
  return `${TYPES[type]} ${type === 16 ? textsOf(octets) : name(0)}`;
}

/** RFC 1035, section 3.3.14: one or more texts behind their lengths. */
function textsOf(octets: Buffer): string {
  const texts: string[] = [];
  for (let at = 0; at < octets.length; at += 1 + (octets[at] ?? 0)) {
    texts.push(octets.subarray(at + 1, at + 1 + (octets[at] ?? 0)).toString());
  }
  return texts.join(" ");
}
