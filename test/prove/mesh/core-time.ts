/**
 * What a process's busiest thread did with its time: on a machine that is busy with others, it waits for a core.
 */
import { readdirSync, readFileSync } from "node:fs";

export interface CoreTime {
  /** Seconds on a core. */
  readonly ran: number;
  /** Seconds in which it would have run, had there been a core. */
  readonly waited: number;
}

/** Of each thread since the process began (proc(5), schedstat: nanoseconds). */
export function coreTimes(pid: number): ReadonlyMap<string, CoreTime> {
  const threads = readdirSync(`/proc/${pid}/task`);
  return new Map(
    threads.map((thread) => {
      const [ran = 0, waited = 0] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1")
        .split(" ")
        .map(Number);
      return [thread, { ran: ran / 1e9, waited: waited / 1e9 }];
    }),
  );
}

const LOOK_MS = 10;

/** What the threads of some processes did with their time, looked at every few milliseconds. */
export class CoreLooks {
  readonly #pids: readonly number[];
  readonly #looks: { readonly at: number; readonly times: ReadonlyMap<string, CoreTime> }[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(pids: readonly number[]) {
    this.#pids = pids;
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#look();
  }

  /**
   * Of these threads together, between two moments (performance.now), or less: what was before the first look there and
   * after the last one does not count.
   */
  between(threads: readonly string[], from: number, to: number): CoreTime {
    const first = this.#looks.find(({ at }) => at >= from)?.times;
    const last = this.#looks.findLast(({ at }) => at <= to)?.times;
    const sum = { ran: 0, waited: 0 };
    for (const thread of threads) {
      const [before, after] = [first?.get(thread), last?.get(thread)];
      if (before === undefined || after === undefined) continue;
      sum.ran += Math.max(0, after.ran - before.ran);
      sum.waited += Math.max(0, after.waited - before.waited);
    }
    return sum;
  }

  /** The thread of which a second after the moment has more on a core than one before had. */
  busierSince(moment: number): string {
    const [began, ended] = [this.#looks[0]?.at ?? 0, this.#looks.at(-1)?.at ?? 0];
    const growth = (thread: string) =>
      this.between([thread], moment, ended).ran / (ended - moment) -
      this.between([thread], began, moment).ran / (moment - began);
    const threads = [...(this.#looks.at(-1)?.times.keys() ?? [])];
    return threads.reduce((most, one) => (growth(one) > growth(most) ? one : most));
  }

  #look(): void {
    this.#looks.push({ at: performance.now(), times: new Map(this.#pids.flatMap((pid) => [...coreTimes(pid)])) });
  }
}

/** Those whose names, as the process gives them (proc(5), comm), begin so. */
export function threadsNamed(pid: number, prefix: string): readonly string[] {
  return readdirSync(`/proc/${pid}/task`).filter((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/comm`, "latin1").startsWith(prefix),
  );
}

/** Of the thread that ran most since `before`. */
export function busiest(pid: number, before: ReadonlyMap<string, CoreTime> = new Map()): CoreTime {
  const since = [...coreTimes(pid)].map(([thread, { ran, waited }]) => {
    const then = before.get(thread);
    return { ran: ran - (then?.ran ?? 0), waited: waited - (then?.waited ?? 0) };
  });
  return since.reduce((most, one) => (one.ran > most.ran ? one : most));
}
