/**
 * Names that come whole from elsewhere, as a zone or a catalog of services has them: no objects, but names with their
 * records, and in whose namespace they are.
 */
import type { MeshSourceReference } from "../../compiled/mesh-source-reference.ts";
import type { Octets, RecordData } from "../names/wire.ts";

export interface CatalogName {
  readonly name: Octets;
  /** It holds for every name below `name` that has nothing of its own. */
  readonly wildcard: boolean;
  /** Seconds. */
  readonly ttl: number;
  /** Without any, the name is there and has nothing. */
  readonly records: readonly RecordData[];
}

/** By `keyOf`. */
export type CatalogNames = ReadonlyMap<string, CatalogName>;

export function keyOf({ name, wildcard }: Pick<CatalogName, "name" | "wildcard">): string {
  return wildcard ? `*${name}` : name;
}

export interface CatalogStatus {
  readonly name: string;
  /** In words. */
  readonly from: string;
  readonly names: number;
  /** Of a zone's SOA. */
  readonly serial?: number;
  /** When it last was known to be so, ISO 8601; absent for one that never was read. */
  readonly refreshed?: string;
  /** Why it is not what it should be; empty when all is well. */
  readonly error: string;
}

export interface CatalogOptions {
  /** Milliseconds of the wall clock. */
  readonly now: () => number;
  readonly after: (milliseconds: number, task: () => void) => void;
  /** Where copies are kept; undefined for nowhere. */
  readonly directory: string | undefined;
  readonly onProblem: (fields: object, message: string) => void;
  /** Names with these keys are other than they were. */
  readonly onChange: (keys: readonly string[]) => void;
}

export abstract class Catalog {
  /** Where the same names are another's by a new policy, that is known here. */
  reference: MeshSourceReference;
  protected readonly options: CatalogOptions;
  #names: CatalogNames = new Map();
  #error = "";
  #refreshed: number | undefined;

  constructor(reference: MeshSourceReference, options: CatalogOptions) {
    this.reference = reference;
    this.options = options;
  }

  protected abstract readonly from: string;
  /** Resolved when it was read once, or could not be. */
  abstract readonly first: Promise<void>;
  abstract close(): void;

  /** Of a zone. */
  protected get serial(): number | undefined {
    return undefined;
  }

  get names(): CatalogNames {
    return this.#names;
  }

  status(): CatalogStatus {
    const { serial } = this;
    return {
      name: this.reference.name,
      from: this.from,
      names: this.#names.size,
      ...(serial === undefined ? {} : { serial }),
      ...(this.#refreshed === undefined ? {} : { refreshed: new Date(this.#refreshed).toISOString() }),
      error: this.#error,
    };
  }

  /** `confirmed`: when it was known to be so, in milliseconds of the wall clock. */
  protected took(names: CatalogNames, confirmed: number): void {
    this.#error = "";
    this.#refreshed = confirmed;
    this.#replace(names);
  }

  /** The names stay as they were. */
  protected failed(problem: string): void {
    if (problem !== this.#error) {
      const { name } = this.reference;
      this.options.onProblem({ source: name, problem, names: this.#names.size }, "a source of names stays as it was");
    }
    this.#error = problem;
  }

  /** It is not known any more what is there. */
  protected lost(problem: string): void {
    this.failed(problem);
    this.#replace(new Map());
  }

  #replace(names: CatalogNames): void {
    const before = this.#names;
    this.#names = names;
    const keys = differences(before, names);
    if (keys.length > 0) this.options.onChange(keys);
  }
}

function differences(before: CatalogNames, after: CatalogNames): string[] {
  if (before === after) return [];
  const keys: string[] = [];
  for (const [key, name] of after) if (!isSame(before.get(key), name)) keys.push(key);
  for (const key of before.keys()) if (!after.has(key)) keys.push(key);
  return keys;
}

function isSame(a: CatalogName | undefined, b: CatalogName): boolean {
  if (a === undefined || a.ttl !== b.ttl || a.records.length !== b.records.length) return a === b;
  return a.records.every((record, index) => {
    const other = b.records[index];
    return record.type === other?.type && record.data === other.data && record.place === other.place;
  });
}
