/**
 * Which clients of its tenants a policy speaks of: principals and address blocks, and those that are excepted.
 */
import { EvidenceBit } from "../compiled/messages.ts";
import type { PodSelector } from "../compiled/pods.ts";
import type { LabelSelector } from "../resources/label-selector.ts";
import type { Network } from "../resources/network.ts";
import type { Policy } from "../resources/policy-schema.ts";
import type { PrincipalPattern } from "../resources/principal.ts";
import { canonical } from "./canonical.ts";
import type { Intervals } from "./network-builder.ts";
import { ANY_SEGMENT, type TrieBuilder } from "./trie-builder.ts";
import { WordList } from "./word-list.ts";

export interface Selector {
  readonly principals?: readonly PrincipalPattern[] | undefined;
  readonly cidrs?: readonly Network[] | undefined;
  readonly namespaces?: readonly string[] | undefined;
  readonly workloads?: LabelSelector | undefined;
}

/** What a policy is to a tenant: nothing, a policy for all of its clients, or one on a condition. */
export type Bearing = "none" | "whole" | number;

export class ConditionCompiler {
  readonly root: number;
  readonly #trie: TrieBuilder;
  readonly #lists: WordList;
  readonly #intervals: Intervals;
  readonly #records = new WordList();
  readonly #known = new Map<string, number>();
  readonly #patterns = new Map<string, number>();
  /** By their numbers. */
  readonly pods: PodSelector[] = [];

  constructor(trie: TrieBuilder, lists: WordList, intervals: Intervals) {
    this.#trie = trie;
    this.#lists = lists;
    this.#intervals = intervals;
    this.root = trie.addRoot();
  }

  get evidence(): number {
    return this.#patterns.size > 0 ? EvidenceBit.PRINCIPAL : 0;
  }

  bearingOn(tenant: string, { spec }: Policy): Bearing {
    const { subject } = spec;
    if (spec.mode === "Disabled" || subject.tenants?.includes(tenant) === false) return "none";
    const except = exceptionFor(tenant, spec.except);
    if (except !== undefined && isOpen(except)) return "none";
    if (isOpen(subject) && except === undefined) return "whole";
    return this.#condition(subject, except);
  }

  finish(): Uint32Array {
    return this.#records.words();
  }

  #condition(subject: Selector, except: Selector | undefined): number {
    const key = canonical([partsOf(subject), except && partsOf(except)]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const number = this.#known.size;
    this.#known.set(key, number);
    const record = [...this.#selector(subject), ...this.#selector(except ?? {}), except === undefined ? 0 : 1];
    this.#records.append(record);
    return number;
  }

  #selector({ principals = [], cidrs = [], namespaces, workloads: labels }: Selector): number[] {
    const byPod = namespaces !== undefined || labels !== undefined;
    const patterns = principals.map((pattern) => this.#pattern(pattern));
    const blocks = this.#intervals.append(cidrs.map((network) => ({ network, value: 1 })));
    return [
      patterns.length > 0 ? 1 : 0,
      this.#lists.append(patterns),
      patterns.length,
      cidrs.length > 0 ? 1 : 0,
      ...blocks,
      byPod ? this.pods.push({ namespaces, labels }) : 0,
    ];
  }

  #pattern({ text, segments }: PrincipalPattern): number {
    const known = this.#patterns.get(text);
    if (known !== undefined) return known;
    const number = this.#patterns.size;
    this.#patterns.set(text, number);
    const labels = segments.map((segment) => (segment === "*" ? ANY_SEGMENT : Buffer.from(segment)));
    this.#trie.addExact(this.#trie.node(this.root, labels), number);
    return number;
  }
}

function partsOf({ principals, cidrs, namespaces, workloads }: Selector) {
  return { principals, cidrs, namespaces, workloads };
}

/** Whether it is all clients of its tenants. */
export function isOpen(selector: Selector): boolean {
  return Object.values(partsOf(selector)).every((part) => part === undefined);
}

/** An exception is one for the tenants that it names, or for every one. */
export function exceptionFor(
  tenant: string,
  except: (Selector & { readonly tenants?: readonly string[] | undefined }) | undefined,
): Selector | undefined {
  return except?.tenants?.includes(tenant) === false ? undefined : except;
}
