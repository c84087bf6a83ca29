/**
 * Matches of tenants, laid out by what they ask for: one group of networks for each (principal, server name, path).
 */
import {
  CLAIMS_KEY,
  GROUP_ANYWHERE,
  GROUP_FIRST4,
  GROUP_PATH,
  GROUP_PRINCIPAL,
  GROUP_SERVER_NAME,
  GROUP_USED,
  GROUP_WORDS,
  IDENTITY_LENGTH_SHIFT,
} from "../compiled/layout.ts";
import { EvidenceBit } from "../compiled/messages.ts";
import { groupSlot } from "../compiled/networks.ts";
import type { TenantPods } from "../compiled/pods.ts";
import type { PrincipalPattern } from "../resources/principal.ts";
import type { MatchEntry, Tenant } from "../resources/tenant-schema.ts";
import type { Block, Intervals } from "./network-builder.ts";
import type { StringPool } from "./string-pool.ts";
import { ANY_SEGMENT, type TrieBuilder } from "./trie-builder.ts";
import { tableSize } from "./word-list.ts";

export interface CompiledClients {
  readonly principalRoot: number;
  readonly evidence: number;
  readonly serverNameIndex: Uint32Array;
  readonly pathIndex: Uint32Array;
  readonly groups: Uint32Array;
  readonly tenantPods: readonly TenantPods[];
}

interface Group {
  readonly principal: number;
  readonly serverName: number;
  readonly path: number;
  anywhere: number;
  readonly blocks: Block[];
}

export function compileClients(
  tenants: readonly Tenant[],
  strings: StringPool,
  trie: TrieBuilder,
  intervals: Intervals,
): CompiledClients {
  const collector = new GroupCollector(strings, trie);
  for (const [number, { spec }] of tenants.entries()) {
    for (const entry of spec.match) {
      const requires = spec.requires === "principal";
      if (isOfPods(entry)) {
        collector.addPods(entry, number, requires);
        continue;
      }
      if (requires) collector.claim(entry);
      if (!requires || entry.principals) collector.add(entry, number);
    }
  }
  return collector.finish(intervals);
}

/** Whether it asks for the pod that has the client's address. */
export function isOfPods({ namespaces, podLabels }: MatchEntry): boolean {
  return namespaces !== undefined || podLabels !== undefined;
}

class GroupCollector {
  readonly #strings: StringPool;
  readonly #trie: TrieBuilder;
  readonly #principalRoot: number;
  readonly #patterns = new Map<string, number>();
  readonly #serverNames = new Map<string, number>();
  readonly #paths = new Map<string, number>();
  readonly #groups = new Map<string, Group>();
  readonly #pods: TenantPods[] = [];
  #evidence = 0;

  constructor(strings: StringPool, trie: TrieBuilder) {
    this.#strings = strings;
    this.#trie = trie;
    this.#principalRoot = trie.addRoot();
  }

  add(entry: MatchEntry, tenant: number): void {
    this.#askFor(entry);
    const principals = entry.principals?.map((pattern) => this.#pattern(pattern) + 1) ?? [0];
    const serverNames = entry.serverNames?.map((name) => this.#text(this.#serverNames, name) + 1) ?? [0];
    const paths = entry.paths?.map((path) => this.#text(this.#paths, path) + 1) ?? [0];
    for (const principal of principals) {
      for (const serverName of serverNames) {
        for (const path of paths) {
          const group = this.#group(principal, serverName, path);
          if (!entry.cidrs) group.anywhere = tenant + 1;
          for (const network of entry.cidrs ?? []) {
            const value = (((network.length + 1) << IDENTITY_LENGTH_SHIFT) | (tenant + 1)) >>> 0;
            group.blocks.push({ network, value });
          }
        }
      }
    }
  }

  addPods(entry: MatchEntry, tenant: number, requiresPrincipal: boolean): void {
    this.#askFor(entry);
    const { namespaces, podLabels: labels, serverNames, paths } = entry;
    this.#pods.push({ tenant, requiresPrincipal, namespaces, labels, serverNames, paths });
  }

  #askFor({ principals, serverNames, paths }: MatchEntry): void {
    if (principals) this.#evidence |= EvidenceBit.PRINCIPAL;
    if (serverNames) this.#evidence |= EvidenceBit.SERVER_NAME;
    if (paths) this.#evidence |= EvidenceBit.PATH;
  }

  /** Whoever comes from these networks has to show a principal. */
  claim(entry: MatchEntry): void {
    for (const network of entry.cidrs ?? []) this.#group(CLAIMS_KEY, 0, 0).blocks.push({ network, value: 1 });
  }

  finish(intervals: Intervals): CompiledClients {
    const slots = tableSize(this.#groups.size);
    const groups = new Uint32Array(slots * GROUP_WORDS);
    for (const { principal, serverName, path, anywhere, blocks } of this.#groups.values()) {
      let slot = groupSlot(principal, serverName, path, slots - 1);
      while (groups[slot * GROUP_WORDS + GROUP_USED] !== 0) slot = (slot + 1) & (slots - 1);
      const group = slot * GROUP_WORDS;
      groups[group + GROUP_USED] = 1;
      groups[group + GROUP_PRINCIPAL] = principal;
      groups[group + GROUP_SERVER_NAME] = serverName;
      groups[group + GROUP_PATH] = path;
      groups[group + GROUP_ANYWHERE] = anywhere;
      groups.set(intervals.append(blocks), group + GROUP_FIRST4);
    }
    return {
      principalRoot: this.#principalRoot,
      evidence: this.#evidence,
      serverNameIndex: this.#strings.index(this.#serverNames),
      pathIndex: this.#strings.index(this.#paths),
      groups,
      tenantPods: this.#pods,
    };
  }

  #pattern(pattern: PrincipalPattern): number {
    const known = this.#patterns.get(pattern.text);
    if (known !== undefined) return known;
    const number = this.#patterns.size;
    this.#patterns.set(pattern.text, number);
    const segments = pattern.segments.map((segment) => (segment === "*" ? ANY_SEGMENT : Buffer.from(segment)));
    this.#trie.addExact(this.#trie.node(this.#principalRoot, segments), number);
    return number;
  }

  #text(table: Map<string, number>, text: string): number {
    const string = this.#strings.intern(text);
    table.set(text, string);
    return string;
  }

  #group(principal: number, serverName: number, path: number): Group {
    const key = `${principal} ${serverName} ${path}`;
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const group = { principal, serverName, path, anywhere: 0, blocks: [] };
    this.#groups.set(key, group);
    return group;
  }
}
