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

/** Of the thread that ran most since `before`. */
export function busiest(pid: number, before: ReadonlyMap<string, CoreTime> = new Map()): CoreTime {
  const since = [...coreTimes(pid)].map(([thread, { ran, waited }]) => {
    const then = before.get(thread);
    return { ran: ran - (then?.ran ?? 0), waited: waited - (then?.waited ?? 0) };
  });
  return since.reduce((most, one) => (one.ran > most.ran ? one : most));
}
