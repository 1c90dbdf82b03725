import type { Calendar } from "./calendar.ts";
import { holdsFor, onlySignal, type Branch, type Literal } from "./literal.ts";
import { WEEKDAYS, type Weekday } from "./signals.ts";
import {
  both,
  either,
  isNever,
  liesIn,
  noMinute,
  weekOfWindow,
  without,
  type Week,
} from "./week.ts";

/** When something holds, by the clock of a zone. */
interface Moment {
  zone: string;
  week: Week;
}

/**
 * When the literals of a condition hold, as far as they ask the time alone: a rule's own schedule and the signals of class
 * schedule, which go by `calendar`; null where that stands in another document.
 */
export class Moments {
  readonly #calendar: Calendar | null;
  readonly #known = new Map<string, Moment | null>();

  constructor(calendar: Calendar | null) {
    this.#calendar = calendar;
  }

  /** The week of a literal; null for one that asks anything but the time. */
  of(literal: Literal): Moment | null {
    const { print, negated } = literal;
    const name = `${negated ? "!" : ""}${print}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const found = this.#read(literal);
    this.#known.set(name, found);
    return found;
  }

  /** By zone, when all that a branch says of the time holds. */
  ofBranch(branch: Branch): ReadonlyMap<string, Week> {
    const weeks = new Map<string, Week>();
    for (const literal of branch) {
      const moment = this.of(literal);
      if (moment === null) continue;
      const before = weeks.get(moment.zone);
      weeks.set(moment.zone, before === undefined ? moment.week : both(before, moment.week));
    }
    return weeks;
  }

  /** True where a branch says of the time what no minute of a week meets. */
  never(branch: Branch): boolean {
    return [...this.ofBranch(branch).values()].some(isNever);
  }

  /** True where `wanted` holds whenever those weeks do. */
  covered(weeks: ReadonlyMap<string, Week>, wanted: Literal): boolean {
    if (weeks.size === 0) return false;
    const moment = this.of(wanted);
    const given = moment === null ? undefined : weeks.get(moment.zone);
    return moment !== null && given !== undefined && liesIn(given, moment.week);
  }

  #read(literal: Literal): Moment | null {
    const { predicate, negated } = literal;
    if (predicate.is === "within") {
      const week = weekOfWindow(predicate.window);
      return { zone: predicate.window.zone, week: negated ? without(week) : week };
    }
    const signal = onlySignal(predicate);
    const calendar = this.#calendar;
    if (signal?.startsWith("schedule.") !== true || calendar === null) return null;
    const values = valuesOf(signal, calendar);
    if (values === null) return null;
    const holds = holdsFor(literal, signal);
    const held = values.filter(([value]) => holds(value));
    return {
      zone: calendar.zone,
      week: held.reduce((all, [, week]) => either(all, week), noMinute()),
    };
  }
}

type Valued = readonly (readonly [value: string | number | boolean, week: Week])[];

const at = (zone: string, days: readonly Weekday[], from: number, to: number) =>
  weekOfWindow({ zone, days, from, to });

/** When a signal of class schedule has each of its values, by the workspace's clock; null for none of them. */
function valuesOf(signal: string, { zone, business, overnight }: Calendar): Valued | null {
  const flag = (week: Week): Valued => [
    [true, week],
    [false, without(week)],
  ];
  switch (signal) {
    case "schedule.weekday":
      return WEEKDAYS.map((day) => [day, at(zone, [day], 0, 1440)]);
    case "schedule.weekend":
      return flag(at(zone, ["sat", "sun"], 0, 1440));
    case "schedule.hour":
      return Array.from({ length: 24 }, (_, hour) => [
        hour,
        at(zone, WEEKDAYS, hour * 60, (hour + 1) * 60),
      ]);
    case "schedule.business_hours":
      return flag(weekOfWindow(business));
    case "schedule.overnight":
      return flag(weekOfWindow(overnight));
    default:
      return null;
  }
}
