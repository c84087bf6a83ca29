/**
 * How far a verdict holds: what every trie walked and every type list looked at leaves of all questions.
 *
 * Each step gives a set of names that contains the question's, and along which that step decides alike. Such sets
 * nest along the chain of suffixes, so the narrowest is their intersection; only of two that lie below one owner
 * both lists of exceptions count.
 */
import {
  MAX_EXCEPT,
  MAX_SCOPE_TYPES,
  NODE_CHILD_HASHES,
  NODE_CHILDREN,
  NODE_WORDS,
  type TrieSections,
} from "./layout.ts";
import { Extent, type VerdictScope } from "./messages.ts";
import type { Question } from "./question.ts";
import type { NamePath } from "./trie.ts";

const ALL_TRANSPORTS = 0x1f;

export class ScopeBuilder {
  #labels = 0;
  #extent: Extent = Extent.AT_OR_BELOW;
  #except: readonly number[] = [];
  #included: readonly number[] | undefined;
  #excluded: Set<number> | undefined;
  /** Bits 1 << Transport. */
  #transports = ALL_TRANSPORTS;
  /** Milliseconds since 1970. */
  #until = Number.POSITIVE_INFINITY;

  /** The names for which a walk ends as this one did: at the same node, and no deeper. */
  narrow(sections: TrieSections, question: Question, path: NamePath): void {
    if (path.depth === question.labels) {
      this.narrowToName(question);
      return;
    }
    if (this.#extent === Extent.EXACT || path.depth < this.#labels) return;
    const next = question.hashes[path.depth] ?? 0;
    const except = childHashes(sections, path.nodes[path.depth] ?? 0);
    // A hash that is also a child's would put the question itself out of its scope.
    if (except === undefined || except.includes(next)) this.#below(path.depth + 1, Extent.AT_OR_BELOW, []);
    else this.#below(path.depth, Extent.BELOW, except);
  }

  /** Every other name might have been decided otherwise. */
  narrowToName({ labels }: Question): void {
    this.#labels = labels;
    this.#extent = Extent.EXACT;
    this.#except = [];
  }

  /** The domain of so many trailing labels, and every name below. */
  narrowToDomain(labels: number): void {
    if (this.#extent !== Extent.EXACT) this.#below(labels, Extent.AT_OR_BELOW, []);
  }

  #below(labels: number, extent: Extent, except: readonly number[]): void {
    if (rank(labels, extent) < rank(this.#labels, this.#extent)) return;
    const same = labels === this.#labels && extent === this.#extent;
    const union = same ? [...new Set([...this.#except, ...except])] : except;
    if (union.length > MAX_EXCEPT) {
      this.#labels = labels + 1;
      this.#extent = Extent.AT_OR_BELOW;
      this.#except = [];
      return;
    }
    this.#labels = labels;
    this.#extent = extent;
    this.#except = union;
  }

  /** Only these types were decided alike. */
  includeTypes(types: readonly number[]): void {
    const before = this.#included;
    this.#included = before === undefined ? types : before.filter((type) => types.includes(type));
  }

  /** These types might have been decided otherwise. */
  excludeTypes(types: Iterable<number>): void {
    this.#excluded ??= new Set();
    for (const type of types) this.#excluded.add(type);
  }

  /** Only these transports (bits) were decided alike. */
  includeTransports(transports: number): void {
    this.#transports &= transports;
  }

  excludeTransports(transports: number): void {
    this.#transports &= ~transports;
  }

  /** From then on, milliseconds since 1970, it might be decided otherwise. */
  endAt(time: number): void {
    this.#until = Math.min(this.#until, time);
  }

  /** For this type, at this time. */
  build({ qtype, time }: { readonly qtype: number; readonly time: number }): VerdictScope {
    const excluded = this.#excluded;
    let types = this.#included?.filter((type) => excluded === undefined || !excluded.has(type));
    let types_excluded = false;
    if (types === undefined && excluded !== undefined && excluded.size > 0) {
      types = [...excluded];
      types_excluded = true;
    }
    if (types !== undefined && types.length > MAX_SCOPE_TYPES) {
      types = [qtype];
      types_excluded = false;
    }
    return {
      labels: this.#labels,
      extent: this.#extent,
      except: this.#except,
      types: types?.toSorted((a, b) => a - b) ?? [],
      types_excluded,
      transports: this.#transports === ALL_TRANSPORTS ? 0 : this.#transports,
      lifetime_ms: this.#until === Number.POSITIVE_INFINITY ? 0 : Math.max(1, this.#until - time),
    };
  }
}

/** AT_OR_BELOW k contains BELOW k contains AT_OR_BELOW k + 1: the greater, the narrower. */
function rank(labels: number, extent: Extent): number {
  return labels * 2 + (extent === Extent.BELOW ? 1 : 0);
}

/** Undefined for more than a scope can name. */
function childHashes({ nodes, lists }: TrieSections, node: number): readonly number[] | undefined {
  const count = nodes[node * NODE_WORDS + NODE_CHILDREN] ?? 0;
  if (count > MAX_EXCEPT) return undefined;
  const start = nodes[node * NODE_WORDS + NODE_CHILD_HASHES] ?? 0;
  return [...lists.subarray(start, start + count)];
}
