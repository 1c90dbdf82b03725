import { offsetAt } from "../core/windows.ts";
import type { Window } from "./condition.ts";
import { WEEKDAYS, type Weekday } from "./signals.ts";

/** What the signals of class `schedule` go by, for a whole workspace. */
export interface Calendar {
  zone: string;
  business: Window;
  overnight: Window;
}

const WORKDAYS: readonly Weekday[] = ["mon", "tue", "wed", "thu", "fri"];

/** UTC, Monday to Friday 09:00–17:00, overnight 22:00–06:00. */
export const DEFAULT_CALENDAR: Calendar = calendarOf("UTC");

export function calendarOf(
  zone: string,
  hours: { business?: Window | null; overnight?: Window | null } = {},
): Calendar {
  return {
    zone,
    business: hours.business ?? { zone, days: WORKDAYS, from: 9 * 60, to: 17 * 60 },
    overnight: hours.overnight ?? { zone, days: WEEKDAYS, from: 22 * 60, to: 6 * 60 },
  };
}

/** Local time in a zone, as far as policies look. */
export interface LocalTime {
  weekday: Weekday;
  /** Since midnight. */
  minute: number;
}

/** True for the name of an IANA time zone that the runtime knows. */
export function isZone(zone: string): boolean {
  try {
    const known = new Intl.DateTimeFormat("en-US", { timeZone: zone });
    return /^[A-Za-z0-9+_/-]+$/.test(zone) && known.resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

const QUARTER_MS = 15 * 60_000;
const DAY_MINUTES = 24 * 60;

/**
 * Local times without asking the runtime each time: offsets of zones change only on quarters of an hour, so that of the
 * present quarter is kept. Plain data, one per linked plan.
 */
export class Clock {
  readonly #offsets = new Map<string, { quarter: number; minutes: number }>();

  local(now: number, zone: string): LocalTime {
    const minutes = Math.floor(now / 60_000) + this.#offset(now, zone);
    const days = Math.floor(minutes / DAY_MINUTES);
    // The first day of 1970 was a Thursday.
    const weekday = WEEKDAYS[(((days + 3) % 7) + 7) % 7] as Weekday;
    return { weekday, minute: minutes - days * DAY_MINUTES };
  }

  /** True within a window. A night belongs to the day it begins on. */
  within(now: number, window: Window): boolean {
    const { weekday, minute } = this.local(now, window.zone);
    const { days, from, to } = window;
    if (from < to) return days.includes(weekday) && minute >= from && minute < to;
    if (minute >= from) return days.includes(weekday);
    const before = WEEKDAYS[(WEEKDAYS.indexOf(weekday) + 6) % 7] as Weekday;
    return minute < to && days.includes(before);
  }

  #offset(now: number, zone: string): number {
    if (zone === "UTC") return 0;
    const quarter = Math.floor(now / QUARTER_MS);
    const known = this.#offsets.get(zone);
    if (known?.quarter === quarter) return known.minutes;
    const minutes = offsetOf(now, zone);
    this.#offsets.set(zone, { quarter, minutes });
    return minutes;
  }
}

/** Minutes that a zone is ahead of UTC at an instant. */
export function offsetOf(now: number, zone: string): number {
  return Math.round(offsetAt(zone, now) / 60_000);
}

/** A minute of a day as a clock shows it, `09:30`. */
export function clockText(minute: number): string {
  const text = (value: number) => String(value).padStart(2, "0");
  return `${text(Math.floor(minute / 60))}:${text(minute % 60)}`;
}
