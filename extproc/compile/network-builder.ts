/**
 * Address blocks of one group, laid out as the sorted intervals between their boundaries.
 */
import type { Network } from "../resources/network.ts";
import { WordList } from "./word-list.ts";

export interface Block {
  readonly network: Network;
  /** What a lookup finds inside; where blocks nest, that of the longest. */
  readonly value: number;
}

interface Interval {
  readonly start: bigint;
  readonly value: number;
}

export interface IntervalSections {
  readonly boundaries4: Uint32Array;
  readonly values4: Uint32Array;
  readonly boundaries6: Uint32Array;
  readonly values6: Uint32Array;
}

/** The intervals of all groups and conditions of a set. */
export class Intervals {
  readonly #boundaries4 = new WordList();
  readonly #values4 = new WordList();
  readonly #boundaries6 = new WordList();
  readonly #values6 = new WordList();

  /** First interval and count of IPv4, then those of IPv6. */
  append(blocks: readonly Block[]): [first4: number, count4: number, first6: number, count6: number] {
    const four = appendIntervals(blocks, 4, this.#boundaries4, this.#values4);
    const six = appendIntervals(blocks, 6, this.#boundaries6, this.#values6);
    return [four.first, four.count, six.first, six.count];
  }

  finish(): IntervalSections {
    return {
      boundaries4: this.#boundaries4.words(),
      values4: this.#values4.words(),
      boundaries6: this.#boundaries6.words(),
      values6: this.#values6.words(),
    };
  }
}

/** Appends the intervals of one address family, and says which they are: none where there are no blocks. */
function appendIntervals(
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
