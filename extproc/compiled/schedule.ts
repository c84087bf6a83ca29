/**
 * Whether a moment is within a schedule, and until when that stays so.
 */
import {
  SCHEDULE_DAYS,
  SCHEDULE_END,
  SCHEDULE_START,
  SCHEDULE_TRANSITION_COUNT,
  SCHEDULE_TRANSITIONS,
  SCHEDULE_WORDS,
  type Sections,
  TRANSITION_AT,
  TRANSITION_OFFSET,
  TRANSITION_WORDS,
} from "./layout.ts";

export interface Moment {
  readonly within: boolean;
  /** Milliseconds since 1970; a day ahead at most. */
  readonly until: number;
}

const DAY = 86_400;
/** 1970 began on a Thursday, which is day 4. */
const FIRST_DAY = 4;

/** `time`: milliseconds since 1970. */
export function lookUpSchedule(sections: Sections, schedule: number, time: number): Moment {
  const record = schedule * SCHEDULE_WORDS;
  const { schedules } = sections;
  const now = Math.floor(time / 1000);
  const { offset, until: transition } = offsetAt(sections, record, now);
  const days = schedules[record + SCHEDULE_DAYS] ?? 0;
  const start = (schedules[record + SCHEDULE_START] ?? 0) * 60;
  const end = (schedules[record + SCHEDULE_END] ?? 0) * 60;
  const local = now + offset;
  const within = contains(days, start, end, local);
  const midnight = Math.floor(local / DAY) * DAY;
  let until = local + DAY;
  for (const edge of [start, end, DAY, DAY + start, DAY + end]) {
    const at = midnight + edge;
    if (at > local && at < until && contains(days, start, end, at) !== within) until = at;
  }
  return { within, until: Math.min(until - offset, transition) * 1000 };
}

/** A window that ends before it starts goes on into the next day, and is of the day on which it starts. */
function contains(days: number, start: number, end: number, local: number): boolean {
  const day = Math.floor(local / DAY);
  const second = local - day * DAY;
  const has = (number: number) => (days & (1 << ((((number + FIRST_DAY) % 7) + 7) % 7))) !== 0;
  if (start < end) return has(day) && second >= start && second < end;
  return (has(day) && second >= start) || (has(day - 1) && second < end);
}

function offsetAt({ schedules, transitions }: Sections, record: number, now: number) {
  const first = schedules[record + SCHEDULE_TRANSITIONS] ?? 0;
  let low = first;
  let high = first + (schedules[record + SCHEDULE_TRANSITION_COUNT] ?? 1) - 1;
  const last = high;
  const at = (index: number) => transitions[index * TRANSITION_WORDS + TRANSITION_AT] ?? 0;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (at(middle) <= now) low = middle;
    else high = middle - 1;
  }
  const offset = (transitions[low * TRANSITION_WORDS + TRANSITION_OFFSET] ?? 0) | 0;
  return { offset, until: low < last ? at(low + 1) : Number.POSITIVE_INFINITY };
}
