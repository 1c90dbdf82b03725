import { clockText, offsetOf } from "./calendar.ts";
import type { Window } from "./condition.ts";
import { WEEKDAYS } from "./signals.ts";

/** The minutes of a week at which something holds, one bit each, counted from Monday 00:00 in some zone. */
export type Week = Uint32Array;

const DAY = 24 * 60;
const MINUTES = 7 * DAY;
const WORDS = MINUTES / 32;

export function noMinute(): Week {
  return new Uint32Array(WORDS);
}

/** The minutes that a window covers, in its own zone. */
export function weekOfWindow({ days, from, to }: Window): Week {
  const week = new Uint32Array(WORDS);
  const length = from < to ? to - from : DAY - from + to;
  for (const day of days) {
    const start = WEEKDAYS.indexOf(day) * DAY + from;
    for (let i = 0; i < length; i++) set(week, (start + i) % MINUTES);
  }
  return week;
}

/** What both weeks hold. */
export function both(a: Week, b: Week): Week {
  return a.map((word, index) => word & (b[index] ?? 0));
}

/** What either week holds. */
export function either(a: Week, b: Week): Week {
  return a.map((word, index) => word | (b[index] ?? 0));
}

/** What a week does not hold. */
export function without(week: Week): Week {
  return week.map((word) => ~word);
}

export function isNever(week: Week): boolean {
  return week.every((word) => word === 0);
}

/** True where every minute of `inner` is one of `outer`. */
export function liesIn(inner: Week, outer: Week): boolean {
  return inner.every((word, index) => (word & ~(outer[index] ?? 0)) === 0);
}

/** The first minute at which two weeks begin to overlap; null unless they do and neither lies within the other. */
export function crossingOf(a: Week, b: Week): number | null {
  let [shared, onlyA, onlyB] = [0, 0, 0];
  for (let index = 0; index < WORDS; index++) {
    const [first, second] = [a[index] ?? 0, b[index] ?? 0];
    shared |= first & second;
    onlyA |= first & ~second;
    onlyB |= second & ~first;
  }
  if (shared === 0 || onlyA === 0 || onlyB === 0) return null;
  const overlap = both(a, b);
  for (let minute = 0; minute < MINUTES; minute++) {
    if (has(overlap, minute) && !has(overlap, (minute + MINUTES - 1) % MINUTES)) return minute;
  }
  return 0;
}

/** The same minutes by a clock that is `by` minutes behind. */
export function shifted(week: Week, by: number): Week {
  const bit = ((by % MINUTES) + MINUTES) % MINUTES;
  const [word, rest] = [bit >>> 5, bit & 31];
  if (bit === 0) return week;
  return week.map((_, index) => {
    const low = week[(index + word) % WORDS] ?? 0;
    const high = week[(index + word + 1) % WORDS] ?? 0;
    return rest === 0 ? low : (low >>> rest) | (high << (32 - rest));
  });
}

/** `tue 09:30` */
export function timeInWeek(minute: number): string {
  const day = WEEKDAYS[Math.floor(minute / DAY)] ?? "mon";
  return `${day} ${clockText(minute % DAY)}`;
}

/** Zones' offsets in winter and in summer, asked of the runtime once per zone: that is slow. */
export class Offsets {
  readonly #known = new Map<string, readonly [number, number]>();

  /** By how many minutes the second zone is ahead of the first, in winter and in summer. */
  between(a: string, b: string): number[] {
    if (a === b) return [0];
    const [first, second] = [this.#of(a), this.#of(b)];
    return [...new Set([second[0] - first[0], second[1] - first[1]])];
  }

  #of(zone: string): readonly [number, number] {
    const known = this.#known.get(zone);
    if (known !== undefined) return known;
    const found = [
      offsetOf(Date.UTC(2026, 0, 15), zone),
      offsetOf(Date.UTC(2026, 6, 15), zone),
    ] as const;
    this.#known.set(zone, found);
    return found;
  }
}

function set(week: Week, minute: number): void {
  week[minute >>> 5] = (week[minute >>> 5] ?? 0) | (1 << (minute & 31));
}

function has(week: Week, minute: number): boolean {
  return ((week[minute >>> 5] ?? 0) & (1 << (minute & 31))) !== 0;
}
