import type { Node } from "yaml";
import { calendarOf, isZone, type Calendar } from "./calendar.ts";
import type { Window } from "./condition.ts";
import { short, type Member, type Source } from "./document.ts";
import { WEEKDAYS, type Weekday } from "./signals.ts";

/** Reads `schedule:` of a whole document: the time zone and the hours that the signals of class schedule go by. */
export function readCalendar(source: Source, member: Member, team: boolean): Calendar | null {
  if (team) {
    source.error(
      member.key,
      "unsupported",
      "the workspace's time zone and hours stand in the organization's document; a rule may have its own 'schedule'",
    );
    return null;
  }
  const members = source.known(member.value, "schedule", [
    "timezone",
    "business_hours",
    "business_days",
    "overnight",
  ]);
  if (members === null) return null;
  const zone = zoneOf(source, members.timezone) ?? "UTC";
  const days = members.business_days;
  const workdays = days === undefined ? null : daysOf(source, days.value ?? days.key);
  const business = members.business_hours && hoursOf(source, members.business_hours);
  const overnight = members.overnight && hoursOf(source, members.overnight);
  const standard = calendarOf(zone);
  return calendarOf(zone, {
    business: { ...standard.business, ...business, days: workdays ?? standard.business.days },
    overnight: { ...standard.overnight, ...overnight },
  });
}

/** Reads `schedule:` of a rule: when it may match at all. Without a zone of its own it goes by `standard`. */
export function readWindow(
  source: Source,
  { key, value }: Member,
  standard: string,
): Window | null {
  const members = source.known(value, "schedule", ["timezone", "days", "from", "to"]);
  if (members === null) return null;
  const zone = zoneOf(source, members.timezone) ?? standard;
  const days =
    members.days === undefined ? WEEKDAYS : daysOf(source, members.days.value ?? members.days.key);
  const at = (member: Member | undefined, end: number): number | null =>
    member === undefined ? end : timeOf(source, member.value ?? member.key);
  const from = at(members.from, 0);
  const to = at(members.to, 24 * 60);
  if (days === null || from === null || to === null) return null;
  if (isEmpty(from, to)) {
    source.error(value ?? key, "never_true", "this window is empty: 'to' is where 'from' is");
    return null;
  }
  return { zone, days, from, to };
}

/** A day ends where the next one begins. */
function isEmpty(from: number, to: number): boolean {
  return from === to || (from === 24 * 60 && to === 0);
}

function zoneOf(source: Source, member: Member | undefined): string | null {
  if (member === undefined) return null;
  const node = member.value ?? member.key;
  const zone = source.text(node, "timezone", 64);
  if (zone === null || isZone(zone)) return zone;
  source.error(
    node,
    "unknown_value",
    `there is no time zone '${short(zone)}'; use an IANA name, as Europe/Berlin`,
  );
  return null;
}

/** `[mon, wed]`, `mon-fri` or `sat`. */
function daysOf(source: Source, node: Node): readonly Weekday[] | null {
  const value = source.scalar(node);
  const range = typeof value === "string" ? /^([a-z]{3})-([a-z]{3})$/.exec(value) : null;
  if (range !== null) {
    const [first, last] = [range[1], range[2]].map((day) => WEEKDAYS.indexOf(day as Weekday));
    if (first !== undefined && last !== undefined && first >= 0 && last >= 0) {
      const length = ((last - first + 7) % 7) + 1;
      return Array.from({ length }, (_, i) => WEEKDAYS[(first + i) % 7] as Weekday);
    }
  }
  if (typeof value === "string") {
    const day = source.choice(node, "days", WEEKDAYS);
    return day && [day];
  }
  const items = source.list(node, "days", 7);
  if (items?.length === 0) {
    source.error(node, "never_true", "no day is named, so that this would never hold");
    return null;
  }
  const days = items?.map((each) => source.choice(each, "a day", WEEKDAYS)) ?? [null];
  return days.includes(null) ? null : (days as Weekday[]);
}

function hoursOf(source: Source, member: Member): { from: number; to: number } | undefined {
  const node = member.value ?? member.key;
  const text = source.text(node, member.name, 32);
  if (text === null) return undefined;
  const match = /^(\d{1,2}:\d{2})\s*[-–]\s*(\d{1,2}:\d{2})$/.exec(text);
  const from = minuteOf(match?.[1]);
  const to = minuteOf(match?.[2]);
  if (from !== null && to !== null && !isEmpty(from, to)) return { from, to };
  source.error(node, "wrong_type", `${member.name} is a span of hours, as "09:00-17:00"`);
  return undefined;
}

function timeOf(source: Source, node: Node): number | null {
  const value = source.scalar(node);
  const minute = typeof value === "string" ? minuteOf(value) : null;
  if (minute === null) {
    source.error(node, "wrong_type", `a time of day is "HH:MM" in quotes, from 00:00 to 24:00`);
  }
  return minute;
}

function minuteOf(text: string | undefined): number | null {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text ?? "");
  if (match === null) return null;
  const minute = Number(match[1]) * 60 + Number(match[2]);
  return Number(match[2]) < 60 && minute <= 24 * 60 ? minute : null;
}
