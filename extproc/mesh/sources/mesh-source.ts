/**
 * The objects of the mesh that this service knows, changed by whoever may, and kept over restarts.
 */
import { stringify } from "yaml";
import { ObjectJournal } from "./journal.ts";
import type { KubernetesSource } from "./kubernetes.ts";
import { MergedObjects } from "./merged-objects.ts";
import { type MeshObject, pathOf } from "./object.ts";
import { type ObjectChange, type ObjectDelta, ObjectStore } from "./object-store.ts";

export interface MeshSourceOptions {
  /** The file in which they are kept; undefined for objects that come anew with every start. */
  readonly path?: string | undefined;
  /** Objects of a live API, beside those that are pushed. */
  readonly live?: Pick<KubernetesSource, "objects" | "listed"> | undefined;
}

/** An object as it is listed: in its owner's format, with the fields that are used. */
export interface ListedObject {
  readonly kind: string;
  /** `NAMESPACE/NAME`, or `NAME` for kinds without namespaces. */
  readonly name: string;
  readonly text: string;
}

export class MeshSource {
  /** Those that were pushed, and those of a live API: of two of one name, the pushed one. */
  readonly objects: MergedObjects;
  /** Resolved when a live API has told all it has. */
  readonly listed: Promise<void>;
  readonly #own = new ObjectStore();
  readonly #journal: ObjectJournal | undefined;

  private constructor(options: MeshSourceOptions, journal?: ObjectJournal) {
    const { live } = options;
    this.objects = new MergedObjects(this.#own, live?.objects ?? new ObjectStore());
    this.listed = live?.listed ?? Promise.resolve();
    this.#journal = journal;
  }

  static async open(options: MeshSourceOptions): Promise<MeshSource> {
    if (options.path === undefined) return MeshSource.inMemory(options);
    const { journal, objects } = await ObjectJournal.open(options.path);
    const source = new MeshSource(options, journal);
    source.#own.apply({ set: objects });
    return source;
  }

  static inMemory(options: MeshSourceOptions = {}): MeshSource {
    return new MeshSource(options);
  }

  /** At once in force; resolved when it is on disk. */
  async apply(delta: ObjectDelta): Promise<readonly ObjectChange[]> {
    const changes = this.#own.apply(delta);
    if (changes.length > 0) await this.#journal?.write(changes, () => this.#own.all(), this.#own.size);
    return changes;
  }

  /** What apply() would change. */
  diff(delta: ObjectDelta): readonly ObjectChange[] {
    return this.#own.diff(delta);
  }

  async close(): Promise<void> {
    await this.#journal?.close();
  }
}

export function toListed(object: MeshObject): ListedObject {
  return { kind: object.kind, name: pathOf(object), text: stringify(object.value, { lineWidth: 0 }) };
}
