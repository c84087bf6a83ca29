/**
 * The clusters that Envoys shall have: those of the policy in force, and those that a worker which is behind may
 * still use.
 */
import type { ClusterDefinition } from "../../compiled/messages.ts";

/** With so many retired clusters, the first ones go whoever uses them. */
const MAX_RETIRED = 256;

export class ClusterSet {
  #current = new Map<string, ClusterDefinition>();
  #retired = new Map<string, ClusterDefinition>();

  /** Adds what is new; what is no longer wanted stays, retired. Returns whether Envoys have to be told. */
  replace(definitions: readonly ClusterDefinition[]): boolean {
    const next = new Map(definitions.map((definition) => [definition.name, definition]));
    const before = this.#names();
    for (const [name, definition] of this.#current) {
      if (!next.has(name)) this.#retired.set(name, definition);
    }
    for (const name of next.keys()) this.#retired.delete(name);
    for (const name of this.#retired.keys()) {
      if (this.#retired.size <= MAX_RETIRED) break;
      this.#retired.delete(name);
    }
    this.#current = next;
    return before !== this.#names();
  }

  /** Drops what is retired. Returns whether there was anything. */
  retire(): boolean {
    const changed = this.#retired.size > 0;
    this.#retired = new Map();
    return changed;
  }

  /** By name, so that equal sets are equal lists. */
  list(): readonly ClusterDefinition[] {
    const all = [...this.#current.values(), ...this.#retired.values()];
    return all.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** A cluster's name says everything about it. */
  #names(): string {
    return [...this.#current.keys(), ...this.#retired.keys()].sort().join("\n");
  }
}
