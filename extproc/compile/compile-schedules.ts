/**
 * Schedules as numbers, and the moments at which the clocks of their time zones are changed.
 *
 * The decision thread asks no calendar: it adds the offset that is in force, which is right until the next transition.
 */

import type { Rule } from "../resources/rule-schema.ts";
import { DAYS } from "../resources/week.ts";
import { canonical } from "./canonical.ts";
import { WordList } from "./word-list.ts";

type Schedule = NonNullable<Rule["match"]["schedule"]>;

/** Time zones are known for these years, in seconds since 1970; before and after as at either end. */
const FROM = Date.UTC(2024, 0, 1) / 1000;
const UNTIL = Date.UTC(2056, 0, 1) / 1000;

/** No zone has changed its clocks and changed them back within this many seconds. */
const STEP = 7 * 86_400;

const EVERY_DAY = 0x7f;

interface Transition {
  readonly at: number;
  readonly offset: number;
}

/** Finding them takes some thousand looks at a calendar. */
const known = new Map<string, readonly Transition[]>();

export class ScheduleCompiler {
  readonly #schedules = new WordList();
  readonly #transitions = new WordList();
  readonly #numbers = new Map<string, number>();
  readonly #zones = new Map<string, readonly [first: number, count: number]>();
  #count = 0;

  /** The number of the schedule. */
  add(schedule: Schedule): number {
    const key = canonical(schedule);
    const number = this.#numbers.get(key);
    if (number !== undefined) return number;
    const { days, between, timeZone } = schedule;
    const mask = days?.reduce((bits, day) => bits | (1 << DAYS.indexOf(day)), 0) ?? EVERY_DAY;
    this.#schedules.push(mask, between?.[0] ?? 0, between?.[1] ?? 24 * 60, ...this.#zone(timeZone));
    this.#numbers.set(key, this.#count);
    return this.#count++;
  }

  finish(): { readonly schedules: Uint32Array; readonly transitions: Uint32Array } {
    return { schedules: this.#schedules.words(), transitions: this.#transitions.words() };
  }

  #zone(timeZone: string): readonly [first: number, count: number] {
    const zone = this.#zones.get(timeZone);
    if (zone !== undefined) return zone;
    const transitions = transitionsOf(timeZone);
    const first = this.#transitions.length / 2;
    for (const { at, offset } of transitions) this.#transitions.push(at, offset >>> 0);
    const added = [first, transitions.length] as const;
    this.#zones.set(timeZone, added);
    return added;
  }
}

function transitionsOf(timeZone: string): readonly Transition[] {
  const found = known.get(timeZone);
  if (found !== undefined) return found;
  const offsetAt = offsetsOf(timeZone);
  let offset = offsetAt(FROM);
  const transitions: Transition[] = [{ at: 0, offset }];
  for (let start = FROM; start < UNTIL; start += STEP) {
    if (offsetAt(start + STEP) === offset) continue;
    let before = start;
    let after = start + STEP;
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (offsetAt(middle) === offset) before = middle;
      else after = middle;
    }
    offset = offsetAt(after);
    transitions.push({ at: after, offset });
  }
  known.set(timeZone, transitions);
  return transitions;
}

/** Seconds that a zone is ahead of UTC at a second since 1970. */
function offsetsOf(timeZone: string): (seconds: number) => number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (seconds) => {
    const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = format
      .format(seconds * 1000)
      .split(/\D+/)
      .map(Number);
    return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - seconds;
  };
}
