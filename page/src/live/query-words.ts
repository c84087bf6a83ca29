/**
 * A query in words and tones.
 */
import type { QueryRecord } from "../../../extproc/telemetry/questions.ts";

/** By outcome. */
export const VERDICTS: Readonly<Record<string, string>> = {
  forwarded: "allowed",
  denied: "denied",
  rejected: "rejected",
  failed: "failed",
  faulted: "made to fail",
  answered: "answered here",
  limited: "above a rate",
};

/** INFO-CODEs that workers give, and upstreams may (RFC 8914, section 4). */
const EDE_NAMES: Readonly<Record<number, string>> = {
  3: "Stale Answer",
  4: "Forged Answer",
  6: "DNSSEC Bogus",
  14: "Not Ready",
  15: "Blocked",
  16: "Censored",
  17: "Filtered",
  18: "Prohibited",
  20: "Not Authoritative",
  21: "Not Supported",
  22: "No Reachable Authority",
  23: "Network Error",
  24: "Invalid Data",
};

export function nameEde(code: number): string {
  const name = EDE_NAMES[code];
  return name === undefined ? `EDE ${code}` : `EDE ${code} (${name})`;
}

const TONES: Readonly<Record<string, string>> = {
  denied: "deny",
  rejected: "deny",
  limited: "deny",
  failed: "fault",
  faulted: "fault",
};

export function toneOf({ outcome, audit }: QueryRecord): string {
  return TONES[outcome] ?? (audit?.some(({ would }) => would === "deny") ? "audited" : "");
}

export function nameRule({ policy, rule }: QueryRecord): string {
  return policy === undefined ? "" : `${policy}/${rule ?? ""}`;
}

/** As `formatClock` today, and otherwise by its day, to the minute. */
export function formatWhen(time: string): string {
  const date = new Date(time);
  if (date.toDateString() === new Date().toDateString()) return formatClock(time);
  return `${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

function pad(value: number, digits = 2): string {
  return String(value).padStart(digits, "0");
}

/** Of an RFC 3339 time, to the millisecond, in the local zone. */
export function formatClock(time: string): string {
  const date = new Date(time);
  const seconds = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return `${seconds}.${pad(date.getMilliseconds(), 3)}`;
}

/** As policies write names, where it matters: what is no letter, digit, dash or underscore by its number. */
export function escapeName(name: string): string {
  return name.replace(/[^\w.\\-]/g, (character) => `\\${String(character.charCodeAt(0)).padStart(3, "0")}`);
}
