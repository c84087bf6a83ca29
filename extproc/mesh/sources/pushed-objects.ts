/**
 * Objects that were pushed by whoever may: in memory, and in a file where there is one.
 */
import { ObjectJournal } from "./journal.ts";
import { type AllObjects, type ObjectChange, type ObjectDelta, ObjectStore } from "./object-store.ts";

export interface PushedObjects {
  readonly objects: AllObjects;
  /** Resolved when all are known. */
  readonly listed: Promise<void>;
  /** In force and kept when this is resolved. */
  apply(delta: ObjectDelta): Promise<readonly ObjectChange[]>;
  /** What apply() would change. */
  diff(delta: ObjectDelta): readonly ObjectChange[];
  close(): Promise<void>;
}

export class LocalObjects implements PushedObjects {
  readonly objects = new ObjectStore();
  readonly listed = Promise.resolve();
  readonly #journal: ObjectJournal | undefined;

  /** Undefined: in memory alone. */
  static async open(path: string | undefined): Promise<LocalObjects> {
    if (path === undefined) return new LocalObjects();
    const { journal, objects } = await ObjectJournal.open(path);
    const pushed = new LocalObjects(journal);
    pushed.objects.apply({ set: objects });
    return pushed;
  }

  private constructor(journal?: ObjectJournal) {
    this.#journal = journal;
  }

  /** At once in force. */
  async apply(delta: ObjectDelta): Promise<readonly ObjectChange[]> {
    const { objects } = this;
    const changes = objects.apply(delta);
    if (changes.length > 0) await this.#journal?.write(changes, () => objects.all(), objects.size);
    return changes;
  }

  diff(delta: ObjectDelta): readonly ObjectChange[] {
    return this.objects.diff(delta);
  }

  async close(): Promise<void> {
    await this.#journal?.close();
  }
}
