// How source addresses use their ports. Resolvers and Go programs ask once from each port, others ask for A and AAAA at a
// time from one, or keep theirs.

/** Microseconds in which sessions are counted, and how many of them are worth the trouble: 1,000 a second. */
const WINDOW: u64 = 100_000;
const BUSY: u32 = 100;
/** Samples that nobody came back to, before a source is known to ask once from each port; and the most that are remembered. */
const KNOWN: u32 = 8;
const MOST: u32 = 16;

/** What is known of a source, or of several whose addresses share it: then it is true of all of them, or not believed. */
@final
export class Habit {
  private samples: u32 = 0;
  private since: u64 = 0;
  private opened: u32 = 0;
  private isBusy: bool = false;

  /** Another session; `now` in microseconds. */
  open(now: u64): void {
    if (now - this.since >= WINDOW) {
      this.isBusy = this.opened >= BUSY && now - this.since < 2 * WINDOW;
      this.since = now;
      this.opened = 0;
    }
    this.opened++;
  }

  /** A sample ended after one query. */
  left(): void {
    this.samples = min(this.samples + 1, MOST);
  }

  /** A sample was asked again. Where ports are few this happens by chance, so the next may outweigh it. */
  cameBack(): void {
    if (this.samples > 0) this.samples--;
  }

  /** Two queries at a time, from one port. */
  askedTwice(): void {
    this.samples = 0;
  }

  /** Whether so many sessions come, each for one query, that they end with their answers. */
  get asksOnce(): bool {
    return this.isBusy && this.samples >= KNOWN;
  }
}

const CELLS: u32 = 1024;
const ENDED: u32 = 256;

@final
export class Habits {
  private readonly cells: StaticArray<Habit> = new StaticArray<Habit>(CELLS);
  /** The last streams that ended with their answers, and of whom they were. */
  private readonly streams: StaticArray<u32> = new StaticArray<u32>(ENDED);
  private readonly endedOf: StaticArray<Habit | null> = new StaticArray<Habit | null>(ENDED);

  constructor() {
    for (let cell: u32 = 0; cell < CELLS; cell++) unchecked((this.cells[cell] = new Habit()));
  }

  /** Of the source with this hash. */
  of(hash: u32): Habit {
    return unchecked(this.cells[hash & (CELLS - 1)]);
  }

  /** A stream ended with its answer. */
  ended(stream: u32, habit: Habit): void {
    const at = (stream >> 1) & (ENDED - 1);
    unchecked((this.streams[at] = stream));
    unchecked((this.endedOf[at] = habit));
  }

  /** A query came on a stream that had ended: if it was with its answer, the source has asked twice. */
  late(stream: u32): void {
    const at = (stream >> 1) & (ENDED - 1);
    if (unchecked(this.streams[at]) != stream) return;
    const habit = unchecked(this.endedOf[at]);
    if (habit !== null) habit.askedTwice();
  }
}
