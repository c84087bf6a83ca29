// @ts-nocheck AssemblyScript.
/** Names, questions and the message writer, each over the octets at `inputAt`. */
import {
  equalFold,
  hashLabel,
  NameKey,
  nameEnd,
  readName,
  seedNameHashes,
  skipName,
} from "../../../../filter/wire/name";
import { Question, TRACE_SIZE } from "../../../../filter/wire/question";
import { Writer } from "../../../../filter/wire/writer";

const input: usize = heap.alloc(1 << 17);
const output: usize = heap.alloc(1 << 17);
const key = new NameKey();
const copied = new NameKey();
const question = new Question();
const writer = new Writer();

export function inputAt(): usize {
  return input;
}
export function outputAt(): usize {
  return output;
}

/** The name's length, its octets at `outputAt`; 0 is malformed. */
export function name(length: u32, offset: u32): u32 {
  return readName(input, length, offset, output);
}
export function endOfName(): u32 {
  return nameEnd;
}
export function skip(length: u32, offset: u32): u32 {
  return skipName(input, length, offset);
}
export function labelHash(length: u32): u32 {
  return hashLabel(input, length);
}
export function sameFold(first: u32, second: u32, length: u32): u32 {
  return equalFold(input + first, input + second, length) ? 1 : 0;
}

export function seed(random: u64): void {
  seedNameHashes(random);
}
/** Number of labels. The key is a copy of one that was set. */
export function setKey(length: u32): u32 {
  copied.set(input, length);
  key.copy(copied);
  return key.labels;
}
export function keyHash(): u64 {
  return key.hash;
}
export function suffixHash(labels: u32): u64 {
  return key.suffixHash(labels);
}
/** The suffix's length, its octets at `outputAt`. */
export function suffix(labels: u32): u32 {
  const length = key.suffixLength(labels);
  memory.copy(output, key.suffixAt(labels), length);
  return length;
}
export function keyEquals(length: u32): u32 {
  return key.equals(input, length) ? 1 : 0;
}

export function parse(length: u32): u32 {
  return question.parse(input, length);
}
/** In the order of the names in wire's question tests. */
export function field(index: u32): u32 {
  if (index == 0) return question.id;
  if (index == 1) return question.flags;
  if (index == 2) return question.hasQuestion ? 1 : 0;
  if (index == 3) return question.type;
  if (index == 4) return question.class;
  if (index == 5) return question.hasEdns ? 1 : 0;
  if (index == 6) return question.udpSize;
  if (index == 7) return question.dnssec ? 1 : 0;
  if (index == 8) return question.hasPadding ? 1 : 0;
  if (index == 9) return question.hasKeepalive ? 1 : 0;
  if (index == 10) return question.ecsLength;
  if (index == 11) return question.checkingDisabled ? 1 : 0;
  return question.traced ? 1 : 0;
}
export function trace(): u32 {
  memory.copy(output, question.trace, TRACE_SIZE);
  return TRACE_SIZE;
}
export function ecs(): void {
  memory.copy(output, question.ecs, question.ecsLength);
}
export function questionName(): u32 {
  memory.copy(output, question.name, question.key.length);
  return question.key.length;
}

export function clear(): void {
  writer.clear();
}
export function writeName(length: u32, compress: u32): void {
  if (compress) writer.name(input, length);
  else writer.plainName(input, length);
}
export function writeOctets(length: u32): void {
  writer.octets(input, length);
}
export function writeZeros(length: u32): void {
  writer.zeros(length);
}
export function writeNumbers(octet: u32, short: u32, long: u32): void {
  writer.octet(octet);
  writer.u16(short);
  writer.u32(long);
}
export function overflowed(): u32 {
  return writer.overflowed ? 1 : 0;
}
/** Length of the message, which is at `outputAt`. */
export function written(): u32 {
  memory.copy(output, writer.at, writer.length);
  return writer.length;
}
