/**
 * How many different keys there were, estimated in a kibibyte (HyperLogLog: Flajolet and others, 2007; for few keys linear
 * counting, as their section 4 has it). The standard error is 3 %. The libraries that there are hash by a native module, or
 * slower than all else that is done with an event.
 */
import type { Packer, Unpacker } from "./packing.ts";

const BITS = 10;
const REGISTERS = 1 << BITS;
/** Above all that a register may have. */
const RANKS = 32;
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS);

export class UniqueCount {
  /** The longest run of zeros, and one, that a hash of each register had; made when there is a key. */
  #registers: Uint8Array | undefined;

  add(hash: number): void {
    this.#registers ??= new Uint8Array(REGISTERS);
    const register = hash >>> (32 - BITS);
    const rank = Math.clz32((hash << BITS) | (1 << (BITS - 1))) + 1;
    if (rank > (this.#registers[register] ?? 0)) this.#registers[register] = rank;
  }

  merge(other: UniqueCount): void {
    const theirs = other.#registers;
    if (theirs === undefined) return;
    this.#registers ??= new Uint8Array(REGISTERS);
    for (let i = 0; i < REGISTERS; i++) {
      const rank = theirs[i] ?? 0;
      if (rank > (this.#registers[i] ?? 0)) this.#registers[i] = rank;
    }
  }

  /** The registers that are not empty, each with how many were between it and the one before. */
  pack(to: Packer): void {
    const registers = this.#registers ?? new Uint8Array();
    to.number(registers.reduce((filled, rank) => (rank > 0 ? filled + 1 : filled), 0));
    let next = 0;
    for (const [register, rank] of registers.entries()) {
      if (rank === 0) continue;
      to.number((register - next) * RANKS + rank);
      next = register + 1;
    }
  }

  mergePacked(from: Unpacker): void {
    const filled = from.number();
    if (filled === 0) return;
    this.#registers ??= new Uint8Array(REGISTERS);
    let register = 0;
    for (let left = filled; left > 0; left--, register++) {
      const gapAndRank = from.number();
      register += Math.floor(gapAndRank / RANKS);
      this.#registers[register] = Math.max(this.#registers[register] ?? 0, gapAndRank % RANKS);
    }
  }

  get estimate(): number {
    if (this.#registers === undefined) return 0;
    let sum = 0;
    let empty = 0;
    for (const rank of this.#registers) {
      sum += 2 ** -rank;
      if (rank === 0) empty++;
    }
    const raw = (ALPHA * REGISTERS * REGISTERS) / sum;
    if (raw <= 2.5 * REGISTERS && empty > 0) return Math.round(REGISTERS * Math.log(REGISTERS / empty));
    return Math.round(raw);
  }
}

/** 32 bits: FNV-1a over the characters, mixed as MurmurHash3 ends, since registers are chosen by the highest bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
