/**
 * Numbers, times and durations as people read them.
 */
const TIME = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, {
  day: "2-digit",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hour12: false,
});
const DAY = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short", year: "numeric" });
const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export function formatTime(time: Date): string {
  return TIME.format(time);
}

/** An ISO time; empty where there is none. */
export function formatDate(iso: string | undefined): string {
  return iso === undefined || iso === "" ? "" : DAY_AND_TIME.format(new Date(iso));
}

export function formatDay(date: Date): string {
  return DAY.format(date);
}

export function formatCount(count: number): string {
  return COUNT.format(count);
}

export function formatCompact(count: number): string {
  return count < 10_000 ? COUNT.format(count) : COMPACT.format(count);
}

export function formatShare(share: number): string {
  if (!Number.isFinite(share)) return "–";
  if (share === 0) return "0 %";
  return share > 0 && share < 0.001 ? "<0.1 %" : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/** Milliseconds. What a worker answers within one turn of its loop takes it none that it could measure. */
export function formatLatency(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return "–";
  if (milliseconds === 0) return "<0.1 ms";
  if (milliseconds < 1) return `${Math.max(1, Math.round(milliseconds * 1000))} µs`;
  if (milliseconds < 1000) return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Of a second. */
export function formatRate(rate: number): string {
  return `${rate < 10 ? Number(rate.toFixed(rate < 1 ? 2 : 1)) : formatCompact(Math.round(rate))}/s`;
}

/** Clients that are no tenant's have none, and are told apart from a tenant of any name by how that looks. */
export function nameTenant(tenant: string): string {
  return tenant === "" ? "(no tenant)" : tenant;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Versions may be numbers of the clock, which differ in their end. */
export function shortVersion(sequence: number): string {
  const text = String(sequence);
  return text.length <= 7 ? text : `…${text.slice(-6)}`;
}
