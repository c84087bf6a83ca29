// The query that goes upstream: nothing of the client's but name, type, DO and CD, with an EDNS of our own, padded where
// the way is encrypted, unless told otherwise. A client's subnet and its trace are in it where the upstream is to know them.

import { TRACE_HEAD, TRACE_SIZE } from "../wire/question";
import { CLASS_IN, Flag, Option } from "../wire/types";
import { Writer } from "../wire/writer";
import { Exchange, TRACEPARENT_SIZE } from "./exchange";

/** What we take over UDP; only a hint, since answers come over TCP and HTTP (DNS flag day 2020). */
const UDP_SIZE: u32 = 1232;
/** RFC 8467, section 4.1. */
const QUERY_BLOCK: u32 = 128;
const OPTION_HEAD: u32 = 4;
const DO_BIT: u32 = 0x8000;
const TRACE_OPTION_SIZE: u32 = TRACE_HEAD + TRACE_SIZE;

export function writeQuery(writer: Writer, exchange: Exchange, isPadded: bool): void {
  const asked = exchange.asked;
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
  const ecsSize = exchange.ecsLength == 0 ? 0 : OPTION_HEAD + exchange.ecsLength;
  const size = ecsSize + (exchange.traced ? OPTION_HEAD + TRACE_OPTION_SIZE : 0);
  if (!isPadded) {
    writer.u16(size);
    writeOptions(writer, exchange);
    return;
  }
  const unpadded = writer.length + 2 + size + OPTION_HEAD;
  const padding = (QUERY_BLOCK - (unpadded % QUERY_BLOCK)) % QUERY_BLOCK;
  writer.u16(size + OPTION_HEAD + padding);
  writeOptions(writer, exchange);
  writer.u16(Option.PADDING);
  writer.u16(padding);
  writer.zeros(padding);
}

function writeOptions(writer: Writer, exchange: Exchange): void {
  if (exchange.ecsLength != 0) {
    writer.u16(Option.ECS);
    writer.u16(exchange.ecsLength);
    writer.octets(exchange.ecs, exchange.ecsLength);
  }
  if (!exchange.traced) return;
  writer.u16(Option.TRACEPARENT);
  writer.u16(TRACE_OPTION_SIZE);
  writer.zeros(TRACE_HEAD);
  writer.octets(exchange.traceparent, TRACEPARENT_SIZE);
  // trace-flags: sampled.
  writer.octet(1);
}
