/**
 * Octets of any size in etcd, which takes 1.5 MiB a request: compressed, in pieces that are written once. What refers to them
 * is written after them, in one transaction; pieces that nothing refers to are of a writer that was killed.
 */
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import type { Condition, Etcd, Operation } from "./etcd.ts";

export interface ChunksReference {
  /** Of one writing: no two are alike. */
  readonly id: string;
  readonly count: number;
}

const CHUNK_OCTETS = 1024 * 1024;
/** In one transaction each has a condition. */
const MAX_CHUNKS = 100;
const FOLDER = "chunks/";

export async function writeChunks(etcd: Etcd, octets: Uint8Array): Promise<ChunksReference> {
  const packed = await promisify(gzip)(octets);
  const count = Math.max(1, Math.ceil(packed.length / CHUNK_OCTETS));
  if (count > MAX_CHUNKS) {
    throw new Error(`expected at most ${MAX_CHUNKS} MiB when they are compressed, got ${packed.length} octets`);
  }
  const reference = { id: randomUUID(), count };
  for (const [number, put] of keysOf(reference).entries()) {
    const value = packed.subarray(number * CHUNK_OCTETS, (number + 1) * CHUNK_OCTETS);
    await etcd.change([], [{ put, value }]);
  }
  return reference;
}

export async function readChunks(etcd: Etcd, reference: ChunksReference): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (const key of keysOf(reference)) {
    const piece = await etcd.get(key);
    if (piece === undefined) throw new Error(`${etcd.name}: expected the key ${key}, got none`);
    pieces.push(piece.value);
  }
  return promisify(gunzip)(Buffer.concat(pieces));
}

/** That they are there still. */
export function areThere(reference: ChunksReference): readonly Condition[] {
  return keysOf(reference).map((exists) => ({ exists }));
}

export function deletionOf({ id }: Pick<ChunksReference, "id">): Operation {
  return { deleteBelow: `${FOLDER}${id}/` };
}

/** Removes what none of these refer to. A writer whose pieces are taken meanwhile finds that out, and writes them again. */
export async function removeOrphans(etcd: Etcd, references: readonly ChunksReference[]): Promise<void> {
  const known = new Set(references.map(({ id }) => id));
  const { items } = await etcd.list(FOLDER, { keysOnly: true });
  const orphans = new Set(items.map(({ key }) => key.split("/")[1] ?? "").filter((id) => !known.has(id)));
  for (const id of orphans) await etcd.change([], [deletionOf({ id })]);
}

function keysOf({ id, count }: ChunksReference): string[] {
  return Array.from({ length: count }, (_, number) => `${FOLDER}${id}/${String(number).padStart(3, "0")}`);
}
