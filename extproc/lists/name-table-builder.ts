/**
 * Builds the table of a NameList, and changes it: entries come and go, and what is finished stays as it was.
 */
import { EdgeTable, type SavedEdges } from "../compile/edge-table.ts";
import { WordList } from "../compile/word-list.ts";
import { NODE_WORDS } from "../compiled/layout.ts";
import {
  EXCEPTED_BELOW,
  EXCEPTED_EXACTLY,
  LISTED_BELOW,
  LISTED_EXACTLY,
  type NameTable,
} from "../compiled/name-table.ts";
import type { WireName } from "./wire-name.ts";

/** What an entry says: of the name itself or of those below it, that they are listed or excepted. */
export interface Entry {
  readonly below: boolean;
  readonly excepts: boolean;
}

export interface SavedNames {
  readonly edges: SavedEdges;
  readonly nodes: Uint32Array;
  readonly names: number;
  readonly exceptions: number;
}

export class NameTableBuilder {
  readonly #edges: EdgeTable;
  #nodes: Uint32Array = new Uint32Array(1024 * NODE_WORDS);
  #names = 0;
  #exceptions = 0;

  constructor(edges?: EdgeTable) {
    this.#edges = edges ?? new EdgeTable();
    if (edges === undefined) this.#edges.addRoot();
  }

  /** All of it, for load(). */
  save(): SavedNames {
    const nodes = this.#nodes.subarray(0, this.#edges.nodes * NODE_WORDS);
    return { edges: this.#edges.save(), nodes, names: this.#names, exceptions: this.#exceptions };
  }

  static load({ edges, nodes, names, exceptions }: SavedNames): NameTableBuilder {
    const builder = new NameTableBuilder(EdgeTable.load(edges));
    builder.#nodes = nodes;
    builder.#names = names;
    builder.#exceptions = exceptions;
    return builder;
  }

  get names(): number {
    return this.#names;
  }

  /** One such entry more, or less: of a zone, a name may have several records. */
  change(name: WireName, { below, excepts }: Entry, by: 1 | -1): void {
    const listed = below ? LISTED_BELOW : LISTED_EXACTLY;
    const excepted = below ? EXCEPTED_BELOW : EXCEPTED_EXACTLY;
    const node = this.#node(name) * NODE_WORDS;
    this.#count(node, listed, excepted, -1);
    const word = node + (excepts ? excepted : listed);
    this.#nodes[word] = Math.max(0, (this.#nodes[word] ?? 0) + by);
    this.#count(node, listed, excepted, 1);
  }

  finish(): NameTable {
    const nodes = share(this.#nodes.subarray(0, this.#edges.nodes * NODE_WORDS));
    const lists = new WordList();
    this.#edges.writeChildren(nodes, lists);
    return {
      nodes,
      edges: share(this.#edges.edges),
      lists: share(lists.words()),
      bytes: share(this.#edges.labels),
      names: this.#names,
      exceptions: this.#exceptions,
    };
  }

  /** Takes what a node says in, or out, of the counts. */
  #count(node: number, listed: number, excepted: number, by: 1 | -1): void {
    if ((this.#nodes[node + excepted] ?? 0) > 0) this.#exceptions += by;
    else if ((this.#nodes[node + listed] ?? 0) > 0) this.#names += by;
  }

  #node(name: WireName): number {
    let node = 0;
    for (let label = name.labels - 1; label >= 0; label--) {
      const start = name.starts[label] ?? 0;
      node = this.#edges.child(node, name.octets, start, name.lengths[label] ?? 0, name.hash(label));
    }
    if ((node + 1) * NODE_WORDS > this.#nodes.length) {
      const grown = new Uint32Array(Math.max(this.#edges.nodes * NODE_WORDS, this.#nodes.length * 2));
      grown.set(this.#nodes);
      this.#nodes = grown;
    }
    return node;
  }
}

export const EMPTY_TABLE: NameTable = new NameTableBuilder().finish();

function share<T extends Uint32Array | Uint8Array>(words: T): T {
  const shared = new SharedArrayBuffer(words.byteLength);
  const copy = words instanceof Uint8Array ? new Uint8Array(shared) : new Uint32Array(shared);
  copy.set(words);
  return copy as T;
}
