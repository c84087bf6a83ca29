/** Until when something is valid, and whether that is soon. */
import { formatDay } from "../text/words.ts";

const DAY_MS = 86_400_000;
/** As the alert has it. */
const SOON_MS = 14 * DAY_MS;

/** Never, of a time that is not known. */
export function isSoon(until: Date): boolean {
  return until.getTime() - Date.now() < SOON_MS;
}

export function ValidUntil({ what, until }: { readonly what?: string; readonly until: Date }) {
  const left = until.getTime() - Date.now();
  const days = Math.floor(left / DAY_MS);
  return (
    <span class={left < 0 ? "bad" : isSoon(until) ? "warn" : ""}>
      {what === undefined ? "" : `${what} `}
      {left < 0 ? "ended " : "until "}
      {formatDay(until)}
      {left >= 0 && isSoon(until) && `, ${days === 1 ? "1 day" : `${days} days`} more`}
    </span>
  );
}
