/**
 * Longest-prefix match over flat intervals, and the largest block around an address for which it comes out alike.
 *
 * The blocks of a group are laid out as the sorted, disjoint intervals between their boundaries, each with the
 * longest block that covers it: one binary search finds it, and its two neighbours bound the client's block.
 */

import { slotOf } from "./hash.ts";
import {
  GROUP_ANYWHERE,
  GROUP_COUNT4,
  GROUP_COUNT6,
  GROUP_FIRST4,
  GROUP_PATH,
  GROUP_PRINCIPAL,
  GROUP_SERVER_NAME,
  GROUP_USED,
  GROUP_WORDS,
  type Sections,
} from "./layout.ts";

/** An address as words, most significant first. An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is an IPv4 one. */
export interface Address {
  readonly words: readonly number[];
  /** Bits in front of `words` in the form in which the client came: 96 for a mapped address. */
  readonly lead: number;
}

export function readAddress(octets: Uint8Array): Address | undefined {
  if (octets.length !== 4 && octets.length !== 16) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  if (octets.length === 4) return { words: [view.getUint32(0)], lead: 0 };
  const words = [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)];
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return { words: words.slice(3), lead: 96 };
  return { words, lead: 0 };
}

/** Length of the client's address in the form in which it came. */
export function bitsOf({ words, lead }: Address): number {
  return lead + words.length * 32;
}

/** What a lookup found, and the prefix length, in the client's form, for which it holds. */
export interface Found {
  readonly value: number;
  readonly prefix: number;
}

const NOTHING: Found = { value: 0, prefix: 0 };
const MAPPED = [0, 0, 0xffff, 0];

/** Keys are numbers + 1, or 0 for what a group does not ask for. */
export function findInGroup(
  sections: Sections,
  address: Address,
  principal: number,
  serverName: number,
  path: number,
): Found {
  const { groups } = sections;
  const mask = groups.length / GROUP_WORDS - 1;
  for (let slot = groupSlot(principal, serverName, path, mask); ; slot = (slot + 1) & mask) {
    const group = slot * GROUP_WORDS;
    if (groups[group + GROUP_USED] === 0) return NOTHING;
    if (
      groups[group + GROUP_PRINCIPAL] === principal &&
      groups[group + GROUP_SERVER_NAME] === serverName &&
      groups[group + GROUP_PATH] === path
    ) {
      return search(sections, group, address);
    }
  }
}

export function groupSlot(principal: number, serverName: number, path: number, mask: number): number {
  return slotOf(principal, (Math.imul(serverName, 0x85ebca6b) ^ Math.imul(path, 0xc2b2ae35)) >>> 0, mask);
}

function search(sections: Sections, group: number, address: Address): Found {
  const { groups } = sections;
  const anywhere = groups[group + GROUP_ANYWHERE] ?? 0;
  const count4 = groups[group + GROUP_COUNT4] ?? 0;
  const count6 = groups[group + GROUP_COUNT6] ?? 0;
  if (count4 === 0 && count6 === 0) return { value: anywhere, prefix: 0 };
  const found = findInBlocks(sections, address, groups, group + GROUP_FIRST4);
  return { value: found.value || anywhere, prefix: found.prefix };
}

/** `at`: where first interval and count of IPv4 stand in `record`, then those of IPv6. */
export function findInBlocks(sections: Sections, { words, lead }: Address, record: Uint32Array, at: number): Found {
  if (words.length === 1) {
    const [first = 0, count = 0] = [record[at], record[at + 1]];
    const found = searchIntervals(sections.boundaries4, sections.values4, first, count, words);
    return { value: found.value, prefix: lead + found.prefix };
  }
  const [first = 0, count = 0] = [record[at + 2], record[at + 3]];
  const found = searchIntervals(sections.boundaries6, sections.values6, first, count, words);
  // Mapped addresses are looked up among the IPv4 blocks, so no block of others reaches over them.
  return { value: found.value, prefix: Math.max(found.prefix, commonBits(words, MAPPED) + 1) };
}

function searchIntervals(
  boundaries: Uint32Array,
  values: Uint32Array,
  first: number,
  count: number,
  words: readonly number[],
): Found {
  if (count === 0) return NOTHING;
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (isAtOrAfter(words, boundaries, (first + middle) * words.length)) low = middle;
    else high = middle - 1;
  }
  let prefix = 0;
  if (low > 0) prefix = commonBits(words, before(boundaryAt(boundaries, first + low, words.length))) + 1;
  if (low + 1 < count) {
    prefix = Math.max(prefix, commonBits(words, boundaryAt(boundaries, first + low + 1, words.length)) + 1);
  }
  return { value: values[first + low] ?? 0, prefix };
}

function isAtOrAfter(words: readonly number[], boundaries: Uint32Array, at: number): boolean {
  for (const [index, word] of words.entries()) {
    const bound = boundaries[at + index] ?? 0;
    if (word !== bound) return word > bound;
  }
  return true;
}

function boundaryAt(boundaries: Uint32Array, index: number, width: number): number[] {
  return [...boundaries.subarray(index * width, (index + 1) * width)];
}

/** The address before one that is not the first. */
function before(words: number[]): number[] {
  for (let index = words.length - 1; index >= 0; index--) {
    const word = words[index] ?? 0;
    words[index] = (word - 1) >>> 0;
    if (word > 0) break;
  }
  return words;
}

/** Leading bits that two different addresses share. */
function commonBits(a: readonly number[], b: readonly number[]): number {
  for (const [index, word] of a.entries()) {
    const difference = word ^ (b[index] ?? 0);
    if (difference !== 0) return index * 32 + Math.clz32(difference);
  }
  return a.length * 32;
}
