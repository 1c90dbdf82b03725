/** A span of time that money is counted in; half-open, in Unix milliseconds. */
export interface Span {
  /** The same for every instant of the span, and for no other span. */
  id: string;
  startsAt: number;
  /** null = never. */
  endsAt: number | null;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const CLOCK_UNITS: Record<string, number> = { s: SECOND, m: MINUTE, h: HOUR };
/** Before 1970 an edge is negative. */
const EDGES = /^(-?[0-9a-z]+)-(-?[0-9a-z]+)$/;
const GRAMMAR = /^([1-9]\d{0,8})(s|m|h|d|w|mo)$/;

/**
 * The window of a budget that an instant lies in. It follows from the clock of a time zone: s, m and h on the
 * clock, 1d at midnight, 7d and w on Monday, 30d and mo on the first of a month; other spans are counted from `since`,
 * in days of that zone. Without a duration there is one window for ever. Windows of one definition never overlap and
 * leave no gap, whatever a zone does to its clock.
 */
export function windowAt(
  duration: string | null | undefined,
  timeZone: string,
  since: number,
  now: number,
): Span {
  const [, digits, unit = ""] = GRAMMAR.exec(duration ?? "") ?? [];
  if (digits === undefined) return { id: "life", startsAt: -Infinity, endsAt: null };
  const count = Number(digits);
  const clock = CLOCK_UNITS[unit];
  if (clock !== undefined) return onTheClock(count * clock, timeZone, since, now);
  const today = dayOf(timeZone, now);
  const monthly = unit === "mo" ? count : unit === "d" && count === 30 ? 1 : null;
  if (monthly !== null) {
    const { year, month } = dateOf(today);
    const first = Math.floor((year * 12 + month) / monthly) * monthly;
    return between(timeZone, Date.UTC(0, first) / DAY, Date.UTC(0, first + monthly) / DAY);
  }
  const weekly = unit === "w" || count === 7;
  const days = unit === "w" ? count * 7 : count;
  // Day 0 was a Thursday; weeks begin on Monday.
  const start = dayOf(timeZone, since);
  const anchor = weekly ? start - ((start + 3) % 7) : days === 1 ? 0 : start;
  const first = anchor + Math.floor((today - anchor) / days) * days;
  return between(timeZone, first, first + days);
}

/** True where two windows of different definitions have an instant in common; those of one definition never have. */
export function overlap(one: string, other: string): boolean {
  const [from, to] = edgesOf(one);
  const [otherFrom, otherTo] = edgesOf(other);
  return from < otherTo && otherFrom < to;
}

function edgesOf(id: string): [from: number, to: number] {
  const [, from, to] = EDGES.exec(id) ?? [];
  if (from === undefined || to === undefined) return [-Infinity, Infinity];
  return [Number.parseInt(from, 36), Number.parseInt(to, 36)];
}

/** True for a name that this runtime knows as a time zone. */
export function isTimeZone(name: string): boolean {
  try {
    formatter(name);
    return true;
  } catch {
    return false;
  }
}

/**
 * Lengths that divide a day begin at midnight, so that 1h is the clock's hour; others run from `since` on. On a day on
 * which a zone's clock is put forward or back those of more than an hour still begin when it shows their beginning.
 */
function onTheClock(length: number, timeZone: string, since: number, now: number): Span {
  if (DAY % length !== 0) {
    const start = since + Math.floor((now - since) / length) * length;
    return span(start, start + length);
  }
  const day = dayOf(timeZone, now);
  if (length <= HOUR) {
    const midnight = instantOf(timeZone, day, 0);
    const start = midnight + Math.floor((now - midnight) / length) * length;
    return span(start, Math.min(start + length, instantOf(timeZone, day + 1, 0)));
  }
  const shown = now + offsetAt(timeZone, now) - day * DAY;
  for (let at = Math.floor(shown / length) * length; ; at += length) {
    const end = instantOf(timeZone, day, at + length);
    // A clock that was put back shows what it has shown before.
    if (now < end) return span(instantOf(timeZone, day, at), end);
  }
}

function between(timeZone: string, first: number, end: number): Span {
  return span(instantOf(timeZone, first, 0), instantOf(timeZone, end, 0));
}

function span(startsAt: number, endsAt: number): Span {
  return { id: `${startsAt.toString(36)}-${endsAt.toString(36)}`, startsAt, endsAt };
}

/** Days since 1970-01-01 of the date that a zone's calendar shows. */
function dayOf(timeZone: string, at: number): number {
  return Math.floor((at + offsetAt(timeZone, at)) / DAY);
}

function dateOf(day: number): { year: number; month: number } {
  const date = new Date(day * DAY);
  // Date.UTC reads years below 100 as 19xx: months are counted from 1900.
  return { year: date.getUTCFullYear() - 1900, month: date.getUTCMonth() };
}

/**
 * The first instant at which a zone's clock shows a time of a date, in milliseconds since its midnight; where it jumps
 * over that, the instant of the jump.
 */
function instantOf(timeZone: string, day: number, time: number): number {
  const wall = day * DAY + time;
  const shownAt = (at: number) => at + offsetAt(timeZone, at);
  let low = wall - DAY;
  let high = wall + DAY;
  const offsets = [offsetAt(timeZone, low), offsetAt(timeZone, high)];
  for (const offset of offsets.toSorted((a, b) => b - a)) {
    // Most times of most days: the clock shows it, and a moment before something earlier.
    const at = wall - offset;
    if (shownAt(at) === wall && shownAt(at - 1) < wall) return at;
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (shownAt(middle) < wall) low = middle;
    else high = middle;
  }
  return high;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(timeZone: string): Intl.DateTimeFormat {
  let known = formatters.get(timeZone);
  if (known === undefined) {
    known = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
      era: "short",
    });
    formatters.set(timeZone, known);
  }
  return known;
}

/** What a zone's clock is ahead of UTC at an instant, in milliseconds. */
export function offsetAt(timeZone: string, at: number): number {
  if (timeZone === "UTC") return 0;
  const parts: Record<string, number> = {};
  const whole = Math.floor(at / SECOND) * SECOND;
  for (const { type, value } of formatter(timeZone).formatToParts(whole)) {
    parts[type] = Number(value);
  }
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
}
