/**
 * What happened of late, in cells of time at several resolutions. What comes goes into the finest; a cell that is over is
 * kept for as long as its resolution says, packed, and merged into the running cell of the next coarser one. So adding
 * costs the same for any number of resolutions.
 */
import { Packer, Unpacker } from "./packing.ts";

export interface Resolution {
  /** Length of a cell: a multiple of the one before. */
  readonly milliseconds: number;
  /** Cells that are kept beside the running one. */
  readonly cells: number;
}

/** What a cell has in it. */
export interface Content<T> {
  merge(other: T): void;
  pack(to: Packer): void;
  /** As `merge`, of one that was packed. */
  mergePacked(from: Unpacker): void;
}

export interface Cell<T> {
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly content: T;
}

interface Level<T> extends Resolution {
  readonly finished: Cell<string>[];
  running: Cell<T> | undefined;
}

export class Timeline<T extends Content<T>> {
  readonly #levels: readonly Level<T>[];
  readonly #create: () => T;

  constructor(resolutions: readonly Resolution[], create: () => T) {
    this.#levels = resolutions.map((resolution) => ({ ...resolution, finished: [], running: undefined }));
    this.#create = create;
  }

  /** Where what happens now goes. */
  at(now: number): T {
    this.#advance(now);
    return this.#runningOf(0, now);
  }

  /**
   * The cells of the last so many milliseconds at the resolution that has them all, the running one last; empty ones are
   * not there.
   */
  read(now: number, milliseconds: number): readonly Cell<T>[] {
    const { start, finished, running } = this.#last(now, milliseconds);
    const cells = finished.map((cell) => {
      const content = this.#create();
      content.mergePacked(new Unpacker(cell.content));
      return { start: cell.start, content };
    });
    if (running.length === 0) return cells;
    const content = this.#create();
    for (const part of running) content.merge(part);
    return [...cells, { start, content }];
  }

  /** Adds all that `read` would have in its cells; returns whether there was something. */
  sum(now: number, milliseconds: number, into: T): boolean {
    const { finished, running } = this.#last(now, milliseconds);
    for (const { content } of finished) into.mergePacked(new Unpacker(content));
    for (const part of running) into.merge(part);
    return finished.length + running.length > 0;
  }

  /** Whether nothing is left to be told. */
  isEmpty(now: number): boolean {
    this.#advance(now);
    return this.#levels.every(({ finished, running }) => finished.length === 0 && running === undefined);
  }

  /** What is in the cells of the last so many milliseconds, and what of the running one is at which resolution. */
  #last(now: number, milliseconds: number) {
    this.#advance(now);
    const index = this.levelOf(milliseconds);
    const level = this.#levels[index];
    if (level === undefined) return { start: now, finished: [], running: [] };
    const start = startOf(now, level);
    const levels = this.#levels.slice(0, index + 1);
    return {
      start,
      finished: level.finished.filter((cell) => cell.start >= start - milliseconds),
      running: levels.flatMap(({ running }) => (running === undefined ? [] : [running.content])),
    };
  }

  /** The finest resolution that reaches so far back. */
  levelOf(milliseconds: number): number {
    const index = this.#levels.findIndex((level) => level.milliseconds * level.cells >= milliseconds);
    return index < 0 ? this.#levels.length - 1 : index;
  }

  get cells(): number {
    return this.#levels.reduce((sum, { finished }) => sum + finished.length, 0);
  }

  #runningOf(index: number, time: number): T {
    const level = this.#levels[index] as Level<T>;
    level.running ??= { start: startOf(time, level), content: this.#create() };
    return level.running.content;
  }

  /** Ends the running cells whose time is over, the finest first: what they have goes on into the coarser ones. */
  #advance(now: number): void {
    for (const [index, level] of this.#levels.entries()) {
      const { running, finished } = level;
      const start = startOf(now, level);
      if (running !== undefined && running.start < start) {
        level.running = undefined;
        finished.push({ start: running.start, content: packed(running.content) });
        const coarser = this.#levels[index + 1];
        // Its time may be over, too: it is the next that is looked at.
        if (coarser !== undefined) this.#runningOf(index + 1, running.start).merge(running.content);
      }
      const oldest = start - level.milliseconds * level.cells;
      while (finished[0] !== undefined && finished[0].start < oldest) finished.shift();
    }
  }
}

function packed<T extends Content<T>>(content: T): string {
  const packer = new Packer();
  content.pack(packer);
  return packer.finish();
}

function startOf(time: number, { milliseconds }: Resolution): number {
  return time - (time % milliseconds);
}
