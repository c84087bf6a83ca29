/**
 * Address blocks of one group, laid out as the sorted intervals between their boundaries.
 */
import type { Network } from "../resources/network.ts";
import type { WordList } from "./word-list.ts";

export interface Block {
  readonly network: Network;
  /** What a lookup finds inside; where blocks nest, that of the longest. */
  readonly value: number;
}

interface Interval {
  readonly start: bigint;
  readonly value: number;
}

/** Appends the intervals of one address family, and says which they are: none where there are no blocks. */
export function appendIntervals(
  blocks: readonly Block[],
  family: 4 | 6,
  boundaries: WordList,
  values: WordList,
): { readonly first: number; readonly count: number } {
  const first = values.length;
  const intervals = toIntervals(
    blocks.filter(({ network }) => network.family === family),
    family === 4 ? 32 : 128,
  );
  for (const { start, value } of intervals) {
    values.push(value);
    for (let shift = family === 4 ? 0 : 96; shift >= 0; shift -= 32) {
      boundaries.push(Number((start >> BigInt(shift)) & 0xffffffffn));
    }
  }
  return { first, count: intervals.length };
}

/** From address 0 to the last one without a gap: value 0 where no block is. */
function toIntervals(blocks: readonly Block[], bits: number): Interval[] {
  if (blocks.length === 0) return [];
  const spans = blocks
    .map(({ network, value }) => {
      const start = BigInt(`0x${Buffer.from(network.octets).toString("hex")}`);
      return { start, end: start + (1n << BigInt(bits - network.length)), length: network.length, value };
    })
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : a.length - b.length));
  const intervals: Interval[] = [];
  const open: { readonly end: bigint; readonly value: number }[] = [];
  const begin = (start: bigint) => {
    const value = open.at(-1)?.value ?? 0;
    if (intervals.at(-1)?.start === start) intervals.pop();
    if (intervals.length === 0 || intervals.at(-1)?.value !== value) intervals.push({ start, value });
  };
  const closeUntil = (address: bigint) => {
    for (let top = open.at(-1); top !== undefined && top.end <= address; top = open.at(-1)) {
      open.pop();
      begin(top.end);
    }
  };
  begin(0n);
  for (const span of spans) {
    closeUntil(span.start);
    open.push(span);
    begin(span.start);
  }
  const last = 1n << BigInt(bits);
  closeUntil(last);
  if (intervals.at(-1)?.start === last) intervals.pop();
  return intervals;
}
