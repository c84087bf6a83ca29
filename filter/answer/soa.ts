// The SOA of a zone that is made here and has no other records: what makes NXDOMAIN and NODATA last (RFC 2308).

import { write16 } from "../wire/types";
import { Writer } from "../wire/writer";

const REFRESH: u32 = 3600;
const RETRY: u32 = 1200;
const EXPIRE: u32 = 604800;

/** RDLENGTH and RDATA, behind the TTL; `owner` in lower case, `minimum` in seconds. */
export function writeSoaData(writer: Writer, owner: usize, length: u32, minimum: u32): void {
  const lengthAt = writer.length;
  writer.u16(0);
  // MNAME and RNAME: the zone itself, as RFC 6303, section 3 has it for zones that are made locally.
  writer.name(owner, length);
  writer.name(owner, length);
  writer.u32(1);
  writer.u32(REFRESH);
  writer.u32(RETRY);
  writer.u32(EXPIRE);
  writer.u32(minimum);
  if (!writer.overflowed) write16(writer.at + lengthAt, writer.length - lengthAt - 2);
}
