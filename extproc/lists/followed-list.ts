/**
 * A list that the policy in force speaks of: what was read of it last, and what is wrong with it since.
 */
import type { ListReference } from "../compiled/list-reference.ts";
import type { ListContent } from "./list-names.ts";
import type { ListReader } from "./list-reader.ts";

export interface ListStatus {
  readonly name: string;
  /** A file, a zone, or `inline`. */
  readonly from: string;
  readonly names: number;
  readonly exceptions: number;
  /** Lines that are no name. */
  readonly left: number;
  readonly remarks: readonly string[];
  readonly serial?: number;
  /** When it was last read, ISO 8601; absent for one that never was. */
  readonly refreshed?: string;
  /** Why it is not what it should be; empty when all is well. */
  readonly error: string;
}

export interface FollowOptions {
  readonly reader: ListReader;
  /** Where relative paths begin. */
  readonly directory: string;
  /** Milliseconds of the wall clock. */
  readonly now: () => number;
  readonly onTrouble: (fields: object, message: string) => void;
}

/** Equal digests are of equal names. */
export type DigestedContent = ListContent & { readonly digest: string };

export abstract class FollowedList {
  readonly reference: ListReference;
  protected readonly options: FollowOptions;
  #content: DigestedContent | undefined;
  #error = "";
  #refreshed: number | undefined;

  constructor(reference: ListReference, options: FollowOptions) {
    this.reference = reference;
    this.options = options;
  }

  /** In words. */
  abstract readonly from: string;
  /** Resolved when it was read once, or could not be. */
  abstract readonly first: Promise<unknown>;
  /** Called every second, unless the last call is not done: whether there are other names now. */
  abstract look(): Promise<boolean>;

  get content(): DigestedContent | undefined {
    return this.#content;
  }

  status(): ListStatus {
    const { table, left = 0, remarks = [], serial } = this.#content ?? {};
    return {
      name: this.reference.name,
      from: this.from,
      names: table?.names ?? 0,
      exceptions: table?.exceptions ?? 0,
      left,
      remarks,
      ...(serial === undefined ? {} : { serial }),
      ...(this.#refreshed === undefined ? {} : { refreshed: new Date(this.#refreshed).toISOString() }),
      error: this.#error,
    };
  }

  /** Undefined: it is as it was. Whether there are other names now. */
  protected took(content: DigestedContent | undefined): boolean {
    this.#error = "";
    this.#refreshed = this.options.now();
    if (content === undefined || content.digest === this.#content?.digest) return false;
    this.#content = content;
    return true;
  }

  /** The names stay as they were. */
  protected failed(problem: string): false {
    if (problem !== this.#error) {
      const names = this.#content?.table.names ?? 0;
      this.options.onTrouble({ list: this.reference.name, problem, names }, "a list stays as it was");
    }
    this.#error = problem;
    return false;
  }
}
