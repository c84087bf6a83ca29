/**
 * What happened of late, in cells of time at several resolutions. What comes goes into the finest; a cell that is over is
 * kept for as long as its resolution says, and merged into the running cell of the next coarser one. So adding costs the
 * same for any number of resolutions, and all cells but one are packed.
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

interface Level extends Resolution {
  readonly finished: Cell<string>[];
  /** What of its running cell is over at a finer resolution. */
  running: Cell<string> | undefined;
}

export class Timeline<T extends Content<T>> {
  readonly #levels: readonly Level[];
  readonly #create: () => T;
  /** The running cell of the finest resolution. */
  #now: Cell<T> | undefined;

  constructor(resolutions: readonly Resolution[], create: () => T) {
    this.#levels = resolutions.map((resolution) => ({ ...resolution, finished: [], running: undefined }));
    this.#create = create;
  }

  /** Where what happens now goes. */
  at(now: number): T {
    this.#advance(now);
    const [finest] = this.#levels;
    this.#now ??= { start: finest === undefined ? now : startOf(now, finest), content: this.#create() };
    return this.#now.content;
  }

  /**
   * The cells of the last so many milliseconds at the resolution that has them all, the running one last; empty ones are
   * not there.
   */
  read(now: number, milliseconds: number): readonly Cell<T>[] {
    const { start, finished, running } = this.#last(now, milliseconds);
    const cells = finished.map((cell) => ({ start: cell.start, content: this.#together([cell.content]) }));
    if (running.length === 0 && this.#now === undefined) return cells;
    const content = this.#together(running);
    if (this.#now !== undefined) content.merge(this.#now.content);
    return [...cells, { start, content }];
  }

  /** Adds all that `read` would have in its cells; returns whether there was something. */
  sum(now: number, milliseconds: number, into: T): boolean {
    const { finished, running } = this.#last(now, milliseconds);
    const packed = [...finished.map(({ content }) => content), ...running];
    for (const each of packed) into.mergePacked(new Unpacker(each));
    if (this.#now !== undefined) into.merge(this.#now.content);
    return packed.length > 0 || this.#now !== undefined;
  }

  /** Whether nothing is left to be told. */
  isEmpty(now: number): boolean {
    this.#advance(now);
    const isOver = ({ finished, running }: Level) => finished.length === 0 && running === undefined;
    return this.#now === undefined && this.#levels.every(isOver);
  }

  /** The finest resolution that reaches so far back. */
  levelOf(milliseconds: number): number {
    const index = this.#levels.findIndex((level) => level.milliseconds * level.cells >= milliseconds);
    return index < 0 ? this.#levels.length - 1 : index;
  }

  get cells(): number {
    return this.#levels.reduce((sum, { finished }) => sum + finished.length, 0);
  }

  /** The cells of the last so many milliseconds that are over, and what of the running one is at which resolution. */
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

  /** Ends the running cells whose time is over, the finest first: what they have goes on into the coarser ones. */
  #advance(now: number): void {
    const [finest] = this.#levels;
    if (finest !== undefined && this.#now !== undefined && this.#now.start < startOf(now, finest)) {
      finest.running = { start: this.#now.start, content: packed(this.#now.content) };
      this.#now = undefined;
    }
    for (const [index, level] of this.#levels.entries()) {
      const { running, finished } = level;
      const start = startOf(now, level);
      if (running !== undefined && running.start < start) {
        level.running = undefined;
        finished.push(running);
        // Its time may be over, too: it is the next that is looked at.
        const coarser = this.#levels[index + 1];
        if (coarser !== undefined) this.#add(coarser, running);
      }
      const oldest = start - level.milliseconds * level.cells;
      while (finished[0] !== undefined && finished[0].start < oldest) finished.shift();
    }
  }

  #add(level: Level, { start, content }: Cell<string>): void {
    const { running } = level;
    level.running =
      running === undefined
        ? { start: startOf(start, level), content }
        : { start: running.start, content: packed(this.#together([running.content, content])) };
  }

  #together(parts: readonly string[]): T {
    const content = this.#create();
    for (const part of parts) content.mergePacked(new Unpacker(part));
    return content;
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
