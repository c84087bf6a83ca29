/**
 * The policy in force, and who wants to know when it changes. Both kinds of source keep theirs here.
 */
import type { Snapshot } from "../compiled/snapshot.ts";
import type { Finding } from "../lint/finding.ts";
import { splitListing } from "../resources/document-start.ts";
import type { Problem } from "../resources/problem.ts";
import type { StoredResource } from "./policy-source.ts";

const decoder = new TextDecoder();

export class InForce {
  #snapshot: Snapshot | undefined;
  #text: Uint8Array = new Uint8Array();
  /** What the text lists, from when somebody asks. */
  #resources: readonly StoredResource[] | undefined;
  #warnings: readonly Problem[] = [];
  /** What deserves a second look in it, from when somebody asks. */
  #findings: Promise<readonly Finding[]> | undefined;
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
    if (text !== this.#text) {
      this.#resources = undefined;
      this.#findings = undefined;
    }
    this.#text = text;
    this.#warnings = warnings;
  }

  swap(snapshot: Snapshot, text: Uint8Array, warnings: readonly Problem[]): void {
    this.#snapshot = snapshot;
    this.reword(text, warnings);
    for (const listener of [...this.#listeners]) listener(snapshot);
  }

  findings(look: (text: Uint8Array) => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
    if (this.#findings !== undefined) return this.#findings;
    const findings = look(this.#text);
    this.#findings = findings;
    // Of a thread that failed, the next one is asked.
    findings.catch(() => {
      if (this.#findings === findings) this.#findings = undefined;
    });
    return findings;
  }

  onChange(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  resources(): readonly StoredResource[] {
    this.#resources ??= splitListing(decoder.decode(this.#text.slice()));
    return this.#resources;
  }
}
