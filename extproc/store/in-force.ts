/**
 * The policy in force, and who wants to know when it changes. Both kinds of source keep theirs here.
 */
import type { Snapshot } from "../compiled/snapshot.ts";
import type { Problem } from "../resources/problem.ts";
import type { StoredResource } from "./policy-source.ts";

const decoder = new TextDecoder();

export class InForce {
  #snapshot: Snapshot | undefined;
  #text: Uint8Array = new Uint8Array();
  #warnings: readonly Problem[] = [];
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  get warnings(): readonly Problem[] {
    return this.#warnings;
  }

  /** The whole set, as the compiler listed it. */
  get text(): Uint8Array {
    return this.#text;
  }

  /** The same policy in other words: nobody needs to be told. */
  reword(text: Uint8Array, warnings: readonly Problem[]): void {
    this.#text = text;
    this.#warnings = warnings;
  }

  swap(snapshot: Snapshot, text: Uint8Array, warnings: readonly Problem[]): void {
    this.#snapshot = snapshot;
    this.reword(text, warnings);
    for (const listener of [...this.#listeners]) listener(snapshot);
  }

  onChange(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Taken apart by the documentStart() lines: YAML itself lets no other line begin like them. */
  resources(): readonly StoredResource[] {
    const text = decoder.decode(this.#text.slice());
    return text
      .split(/^--- # (?=\w+\/[a-z0-9.-]+\n)/m)
      .slice(1)
      .map((part) => {
        const end = part.indexOf("\n");
        const [kind = "", name = ""] = part.slice(0, end).split("/");
        return { kind, name, text: part.slice(end + 1) };
      });
  }
}
