/**
 * The sources of names that the policy in force speaks of, each followed for as long as it does.
 */
import type { MeshSourceReference } from "../../compiled/mesh-source-reference.ts";
import type { Catalog, CatalogOptions, CatalogStatus } from "./catalog.ts";
import { ConsulCatalog } from "./consul-catalog.ts";
import { ZoneCatalog } from "./zone-catalog.ts";

/** Names with these keys are other than they were, or another's; of a catalog that has gone, all are. */
export type CatalogListener = (name: string, keys: Iterable<string>) => void;

export class Catalogs implements Iterable<Catalog> {
  readonly #options: Omit<CatalogOptions, "onChange">;
  /** By their names. */
  #catalogs = new Map<string, Catalog>();
  #listener: CatalogListener = () => {};

  constructor(options: Omit<CatalogOptions, "onChange">) {
    this.#options = options;
  }

  [Symbol.iterator](): Iterator<Catalog> {
    return this.#catalogs.values();
  }

  get(name: string): Catalog | undefined {
    return this.#catalogs.get(name);
  }

  /** Who hears of changes. */
  listen(listener: CatalogListener): void {
    this.#listener = listener;
  }

  /** These are followed from now on, and no others. Resolved when each was read once, or could not be. */
  async follow(references: readonly MeshSourceReference[]): Promise<void> {
    const before = this.#catalogs;
    this.#catalogs = new Map(references.map((reference) => [reference.name, this.#follow(reference, before)]));
    for (const [name, old] of before) {
      const now = this.#catalogs.get(name);
      if (now === old) continue;
      old.close();
      // What was read of another place is not there before that was read.
      const gone = () => this.#listener(name, old.names.keys());
      if (now === undefined) gone();
      else void now.first.then(gone);
    }
    await Promise.all([...this].map(({ first }) => first));
  }

  /** A primary says that a zone has changed; false where it is none of ours. */
  notify(zone: string, address: string): boolean {
    const zones = [...this].filter((catalog) => catalog instanceof ZoneCatalog);
    return zones.filter((catalog) => catalog.notify(zone, address)).length > 0;
  }

  status(): CatalogStatus[] {
    return [...this].map((catalog) => catalog.status());
  }

  close(): void {
    for (const catalog of this) catalog.close();
  }

  /** One that is read from the same place goes on, with other owners where the policy says so. */
  #follow(reference: MeshSourceReference, before: ReadonlyMap<string, Catalog>): Catalog {
    const { name } = reference;
    const known = before.get(name);
    if (known === undefined || placeOf(known.reference) !== placeOf(reference)) {
      const options = { ...this.#options, onChange: (keys: readonly string[]) => this.#listener(name, keys) };
      return open(reference, options);
    }
    const { namespace, exportTo } = known.reference;
    known.reference = reference;
    const isSame = namespace === reference.namespace && exportTo.join() === reference.exportTo.join();
    if (!isSame) this.#listener(name, known.names.keys());
    return known;
  }
}

function open(reference: MeshSourceReference, options: CatalogOptions): Catalog {
  const { name, transfer, consul } = reference;
  if (transfer !== undefined) return new ZoneCatalog(reference, transfer, options);
  if (consul !== undefined) return new ConsulCatalog(reference, consul, options);
  throw new Error(`expected a place that names come from, got none for ${name}`);
}

function placeOf({ transfer, consul }: MeshSourceReference): string {
  return JSON.stringify([transfer, consul]);
}
