// The query that goes upstream: nothing of the client's but name, type, DO and CD, with an EDNS of our own, padded where
// the way is encrypted, unless told otherwise.

import { Asked } from "../answer/read";
import { CLASS_IN, Flag, Option } from "../wire/types";
import { Writer } from "../wire/writer";

/** What we take over UDP; only a hint, since answers come over TCP and HTTP (DNS flag day 2020). */
const UDP_SIZE: u32 = 1232;
/** RFC 8467, section 4.1. */
const QUERY_BLOCK: u32 = 128;
const OPTION_HEAD: u32 = 4;
const DO_BIT: u32 = 0x8000;

/** Writes the query for `asked` into `writer`; `ecs` is the data of an ECS option to pass on, or `ecsLength` is 0. */
export function writeQuery(writer: Writer, asked: Asked, isPadded: bool, ecs: usize, ecsLength: u32): void {
  writer.clear();
  writer.u16(asked.id);
  writer.u16(Flag.RD | (asked.checkingDisabled ? Flag.CD : 0));
  writer.u16(1);
  writer.u16(0);
  writer.u16(0);
  writer.u16(1);
  writer.octets(asked.key.at, asked.key.length);
  writer.u16(asked.type);
  writer.u16(CLASS_IN);
  // OPT (RFC 6891, section 6.1.2).
  writer.octet(0);
  writer.u16(41);
  writer.u16(UDP_SIZE);
  writer.u32(asked.dnssec ? DO_BIT : 0);
  const ecsSize = ecsLength == 0 ? 0 : OPTION_HEAD + ecsLength;
  if (!isPadded) {
    writer.u16(ecsSize);
    writeEcs(writer, ecs, ecsLength);
    return;
  }
  const unpadded = writer.length + 2 + ecsSize + OPTION_HEAD;
  const padding = (QUERY_BLOCK - (unpadded % QUERY_BLOCK)) % QUERY_BLOCK;
  writer.u16(ecsSize + OPTION_HEAD + padding);
  writeEcs(writer, ecs, ecsLength);
  writer.u16(Option.PADDING);
  writer.u16(padding);
  writer.zeros(padding);
}

function writeEcs(writer: Writer, ecs: usize, length: u32): void {
  if (length == 0) return;
  writer.u16(Option.ECS);
  writer.u16(length);
  writer.octets(ecs, length);
}
