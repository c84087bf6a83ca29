/**
 * The objects of the mesh that this service knows, changed by whoever may, and kept over restarts.
 */
import { stringify } from "yaml";
import { ObjectJournal } from "./journal.ts";
import { type MeshObject, pathOf } from "./object.ts";
import { type ObjectChange, type ObjectDelta, ObjectStore } from "./object-store.ts";
import { type ObjectSource, type ParsedObjects, parseObjects } from "./parse-objects.ts";

export interface MeshSourceOptions {
  /** The file in which they are kept; undefined for objects that come anew with every start. */
  readonly path?: string;
  /** Reads YAML; somewhere else than in the thread that decides. */
  readonly read?: (sources: readonly ObjectSource[]) => Promise<ParsedObjects>;
}

/** An object as it is listed: in its owner's format, with the fields that are used. */
export interface ListedObject {
  readonly kind: string;
  /** `NAMESPACE/NAME`, or `NAME` for kinds without namespaces. */
  readonly name: string;
  readonly text: string;
}

export class MeshSource {
  readonly objects = new ObjectStore();
  readonly read: (sources: readonly ObjectSource[]) => Promise<ParsedObjects>;
  readonly #journal: ObjectJournal | undefined;

  private constructor({ read = async (sources) => parseObjects(sources) }: MeshSourceOptions, journal?: ObjectJournal) {
    this.read = read;
    this.#journal = journal;
  }

  static async open(options: MeshSourceOptions): Promise<MeshSource> {
    if (options.path === undefined) return new MeshSource(options);
    const { journal, objects } = await ObjectJournal.open(options.path);
    const source = new MeshSource(options, journal);
    source.objects.apply({ set: objects });
    return source;
  }

  static inMemory(): MeshSource {
    return new MeshSource({});
  }

  /** At once in force; resolved when it is on disk. */
  async apply(delta: ObjectDelta): Promise<readonly ObjectChange[]> {
    const changes = this.objects.apply(delta);
    if (changes.length > 0) await this.#journal?.write(changes, () => this.objects.all(), this.objects.size);
    return changes;
  }

  async close(): Promise<void> {
    await this.#journal?.close();
  }
}

export function toListed(object: MeshObject): ListedObject {
  return { kind: object.kind, name: pathOf(object), text: stringify(object.value, { lineWidth: 0 }) };
}
