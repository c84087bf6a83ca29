/**
 * 64-bit numbers of messages. Plain objects, and Long as protobufjs decodes them.
 */
import type { Long } from "@grpc/proto-loader";

/** 64-bit numbers that are known to be small: counts, sequence numbers, microseconds. */
export function toNumber(value: Long | number): number {
  return typeof value === "number" ? value : (value.high >>> 0) * 2 ** 32 + (value.low >>> 0);
}

/** 64-bit numbers that only identify something, as 16 hex digits. */
export function toHex(value: Long | number): string {
  if (typeof value === "number") return value.toString(16).padStart(16, "0");
  return hex32(value.high) + hex32(value.low);
}

function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
