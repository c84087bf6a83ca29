/**
 * Durations as Kubernetes and Go write them: 30s, 5m, 1h30m.
 */

const UNITS = [
  [3600, "h"],
  [60, "m"],
  [1, "s"],
] as const;

/** RFC 2308 section 5 asks for a limit; a day is also the longest that the filter keeps an answer. */
export const MAX_TTL = 86_400;

/** Often enough to matter, seldom enough to be no load. */
const MIN_INTERVAL = 1;
const MAX_INTERVAL = 3600;

/** Whole seconds, or what was expected instead. */
export function parseTtl(text: string): number | string {
  const seconds = parseSeconds(text);
  return typeof seconds === "string" || seconds <= MAX_TTL ? seconds : "at most 24h";
}

/** Whole seconds between two checks, or what was expected instead. */
export function parseInterval(text: string): number | string {
  const seconds = parseSeconds(text);
  if (typeof seconds === "string") return seconds;
  return seconds >= MIN_INTERVAL && seconds <= MAX_INTERVAL ? seconds : "1s to 1h";
}

const MAX_KEEP_DAYS = 3650;

export const KEEP = /^(\d{1,6})([dh])$/;

/** Whole milliseconds for which something is kept, or what was expected instead. */
export function parseKeep(text: string): number | string {
  const match = KEEP.exec(text);
  if (match === null) return "days or hours as 30d or 12h";
  const milliseconds = Number(match[1]) * (match[2] === "d" ? 24 : 1) * 3_600_000;
  return milliseconds > 0 && milliseconds <= MAX_KEEP_DAYS * 86_400_000 ? milliseconds : `1h to ${MAX_KEEP_DAYS}d`;
}

export const SECONDS = /^(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?$/;

function parseSeconds(text: string): number | string {
  const match = SECONDS.exec(text);
  if (match === null || text === "") return "a duration in whole seconds as 30s, 5m or 1h30m";
  return UNITS.reduce((sum, [unit], index) => sum + unit * Number(match[index + 1] ?? 0), 0);
}

/** Milliseconds in which something is counted. */
const MIN_WINDOW_MS = 100;
const MAX_WINDOW_MS = 3_600_000;

export const WINDOW = /^(?:(\d{1,2})h)?(?:(\d{1,4})m)?(?:(\d{1,4})s)?(?:(\d{1,4})ms)?$/;

/** Whole milliseconds in which something is counted, or what was expected instead. */
export function parseWindow(text: string): number | string {
  const match = WINDOW.exec(text);
  if (match === null || text === "") return "a duration as 100ms, 1s or 5m";
  const [, hours = 0, minutes = 0, seconds = 0, milliseconds = 0] = match;
  const sum = Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1000 + Number(milliseconds);
  return sum >= MIN_WINDOW_MS && sum <= MAX_WINDOW_MS ? sum : "100ms to 1h";
}

/** An answer that is later than the filter's patience is not sent at all. */
const MAX_DELAY_MS = 4000;

export const DELAY = /^(?:(\d{1,4})s)?(?:(\d{1,4})ms)?$/;

/** Whole milliseconds, or what was expected instead. */
export function parseDelay(text: string): number | string {
  const match = DELAY.exec(text);
  if (match === null || text === "") return "a delay as 200ms, 1s or 1s500ms";
  const milliseconds = Number(match[1] ?? 0) * 1000 + Number(match[2] ?? 0);
  return milliseconds > 0 && milliseconds <= MAX_DELAY_MS ? milliseconds : "more than 0ms and at most 4s";
}
