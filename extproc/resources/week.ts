/**
 * Days and times of day, as people write them in schedules.
 */

/** In the order of Date.getUTCDay(). */
export const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;

export const DAY_MINUTES = 24 * 60;

export const TIME_OF_DAY = /^(\d\d):(\d\d)$/;

/** Minutes since midnight, or what was expected instead. 24:00 is the end of a day. */
export function parseTimeOfDay(text: string): { readonly minute: number } | string {
  const match = TIME_OF_DAY.exec(text);
  const minute = match === null ? Number.NaN : Number(match[1]) * 60 + Number(match[2]);
  if (!(minute <= DAY_MINUTES) || Number(match?.[2]) > 59) return "a time of day as 08:30, up to 24:00";
  return { minute };
}

/** Nothing for a zone of the IANA time zone database that this Node knows; else what was expected. */
export function checkTimeZone(text: string): string | undefined {
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return undefined;
  } catch {
    return "a time zone as Europe/Berlin or UTC";
  }
}
