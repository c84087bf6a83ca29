/**
 * What happened of late, in cells of time at several resolutions. What comes goes into the finest; a cell that is over is
 * kept for as long as its resolution says, and merged into the running cell of the next coarser one. So adding costs the
 * same for any number of resolutions.
 */
export interface Resolution {
  /** Length of a cell: a multiple of the one before. */
  readonly milliseconds: number;
  /** Cells that are kept beside the running one. */
  readonly cells: number;
}

export interface Cell<T> {
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly content: T;
}

interface Level<T> extends Resolution {
  readonly finished: Cell<T>[];
  running: Cell<T> | undefined;
}

export class Timeline<T> {
  readonly #levels: readonly Level<T>[];
  readonly #create: () => T;
  readonly #merge: (into: T, from: T) => void;

  constructor(resolutions: readonly Resolution[], create: () => T, merge: (into: T, from: T) => void) {
    this.#levels = resolutions.map((resolution) => ({ ...resolution, finished: [], running: undefined }));
    this.#create = create;
    this.#merge = merge;
  }

  /** Where what happens now goes. */
  at(now: number): T {
    this.#advance(now);
    return this.#runningOf(0, now);
  }

  /**
   * The cells of the last so many milliseconds at the resolution that has them all, the running one last; empty ones are
   * not there. Contents are not to be changed.
   */
  read(now: number, milliseconds: number): readonly Cell<T>[] {
    this.#advance(now);
    const index = this.levelOf(milliseconds);
    const level = this.#levels[index];
    if (level === undefined) return [];
    const from = startOf(now, level) - milliseconds;
    const cells = level.finished.filter(({ start }) => start >= from);
    const parts = this.#levels.slice(0, index + 1).flatMap(({ running }) => (running === undefined ? [] : [running]));
    if (parts.length === 0) return cells;
    const content = this.#create();
    for (const part of parts) this.#merge(content, part.content);
    return [...cells, { start: startOf(now, level), content }];
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
        finished.push(running);
        const coarser = this.#levels[index + 1];
        // Its time may be over, too: it is the next that is looked at.
        if (coarser !== undefined) this.#merge(this.#runningOf(index + 1, running.start), running.content);
      }
      const oldest = start - level.milliseconds * level.cells;
      while (finished[0] !== undefined && finished[0].start < oldest) finished.shift();
    }
  }
}

function startOf(time: number, { milliseconds }: Resolution): number {
  return time - (time % milliseconds);
}
