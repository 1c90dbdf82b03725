import type { SignalValue } from "../core/policy.ts";
import { Clock, type Calendar } from "./calendar.ts";

const clock = new Clock();

/** The value of a signal of class `schedule` at an instant; undefined for any other signal. */
export function scheduleSignal(
  name: string,
  now: number,
  calendar: Calendar,
): SignalValue | undefined {
  switch (name) {
    case "schedule.business_hours":
      return clock.within(now, calendar.business);
    case "schedule.overnight":
      return clock.within(now, calendar.overnight);
    case "schedule.weekend": {
      const { weekday } = clock.local(now, calendar.zone);
      return weekday === "sat" || weekday === "sun";
    }
    case "schedule.weekday":
      return clock.local(now, calendar.zone).weekday;
    case "schedule.hour":
      return Math.floor(clock.local(now, calendar.zone).minute / 60);
    default:
      return undefined;
  }
}
