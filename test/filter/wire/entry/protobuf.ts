// @ts-nocheck AssemblyScript.
/** The Protocol Buffers reader, as a list of the fields that it finds, and the writer, call by call. */
import { ProtoReader, ProtoWriter } from "../../../../filter/wire/protobuf";

const input: usize = heap.alloc(1 << 17);
const output: usize = heap.alloc(1 << 17);
const reader = new ProtoReader();
let writer = new ProtoWriter(65536);

export function inputAt(): usize {
  return input;
}
export function outputAt(): usize {
  return output;
}

/**
 * Fields of the message at `offset`, -1 where it is broken. At `outputAt` are 24 octets a field: number, wire type, value
 * (or offset and length of octets). `skipping`: values are skipped, not read.
 */
export function fields(offset: u32, length: u32, skipping: u32): i32 {
  let count = 0;
  reader.begin(input + offset, length);
  while (reader.next()) {
    const at = output + count * 24;
    store<u32>(at, reader.field);
    store<u32>(at + 4, reader.wireType);
    store<u64>(at + 8, 0);
    store<u64>(at + 16, 0);
    if (skipping || reader.wireType == 5) reader.skip();
    else if (reader.wireType == 0) store<u64>(at + 8, reader.number());
    else if (reader.wireType == 1) store<u64>(at + 8, reader.fixed64());
    else {
      reader.bytes();
      store<u64>(at + 8, reader.bytesAt - input);
      store<u64>(at + 16, reader.bytesLength);
    }
    if (++count == 4096) return -2;
  }
  return reader.failed ? -1 : count;
}

export function capacity(octets: u32): void {
  writer = new ProtoWriter(octets);
}
export function clear(): void {
  writer.clear();
}
export function number(field: u32, value: u64): void {
  writer.number(field, value);
}
export function fixed64(field: u32, value: u64): void {
  writer.fixed64(field, value);
}
export function bytes(field: u32, length: u32): void {
  writer.bytes(field, input, length);
}
export function begin(field: u32): u32 {
  return writer.beginMessage(field);
}
export function end(start: u32): void {
  writer.endMessage(start);
}
export function rewind(length: u32): void {
  writer.rewind(length);
}
export function isFull(): u32 {
  return writer.full ? 1 : 0;
}
export function written(): u32 {
  memory.copy(output, writer.at, writer.length);
  return writer.length;
}
