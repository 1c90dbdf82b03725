import fc from "fast-check";
import { expect, test } from "vitest";
import { isTimeZone, overlap, windowAt } from "../../worker/core/windows.ts";

const at = (text: string) => Date.parse(text);
const SINCE = at("2026-01-15T12:34:56Z");

/** Beginning and end of the window that an instant lies in. */
function window(duration: string, zone: string, now: string): [string, string] {
  const { startsAt, endsAt } = windowAt(duration, zone, SINCE, at(now));
  return [new Date(startsAt).toISOString(), new Date(endsAt ?? NaN).toISOString()];
}

test.each([
  ["1h", "UTC", "2026-11-26T11:19:06Z", "2026-11-26T11:00", "2026-11-26T12:00"],
  ["1h", "Asia/Kolkata", "2026-11-26T11:19:06Z", "2026-11-26T10:30", "2026-11-26T11:30"],
  ["15m", "UTC", "2026-11-26T11:19:06Z", "2026-11-26T11:15", "2026-11-26T11:30"],
  ["1d", "UTC", "2026-11-26T11:19:06Z", "2026-11-26T00:00", "2026-11-27T00:00"],
  ["1d", "Asia/Singapore", "2026-11-26T11:19:06Z", "2026-11-25T16:00", "2026-11-26T16:00"],
  ["7d", "UTC", "2026-11-26T11:19:06Z", "2026-11-23T00:00", "2026-11-30T00:00"],
  ["1w", "UTC", "2026-11-22T23:59:59Z", "2026-11-16T00:00", "2026-11-23T00:00"],
  ["30d", "UTC", "2026-11-26T11:19:06Z", "2026-11-01T00:00", "2026-12-01T00:00"],
  ["1mo", "UTC", "2028-02-29T23:59:59Z", "2028-02-01T00:00", "2028-03-01T00:00"],
  ["1mo", "UTC", "2026-12-31T23:59:59Z", "2026-12-01T00:00", "2027-01-01T00:00"],
  ["3mo", "UTC", "2026-11-26T11:19:06Z", "2026-10-01T00:00", "2027-01-01T00:00"],
  ["10d", "UTC", "2026-01-26T11:19:06Z", "2026-01-25T00:00", "2026-02-04T00:00"],
  // Clocks go forward and back: the day has 23 and 25 hours, the month still begins at its local midnight.
  ["1d", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00", "2026-03-29T22:00"],
  ["1d", "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00", "2026-10-25T23:00"],
  ["1mo", "America/New_York", "2026-11-26T11:19:06Z", "2026-11-01T04:00", "2026-12-01T05:00"],
  // Hours are those of the clock also on such a day.
  ["6h", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-29T10:00", "2026-03-29T16:00"],
  ["6h", "Europe/Berlin", "2026-03-29T03:30:00Z", "2026-03-28T23:00", "2026-03-29T04:00"],
  ["12h", "America/New_York", "2026-11-01T20:00:00Z", "2026-11-01T17:00", "2026-11-02T05:00"],
  ["2h", "America/New_York", "2026-11-01T06:30:00Z", "2026-11-01T04:00", "2026-11-01T07:00"],
  ["90m", "America/New_York", "2026-11-01T06:15:00Z", "2026-11-01T05:30", "2026-11-01T08:00"],
  ["1h", "America/New_York", "2026-11-01T06:30:00Z", "2026-11-01T06:00", "2026-11-01T07:00"],
  // There was no midnight in Beirut on this day: the clock went from 23:59:59 to 01:00:00.
  ["1d", "Asia/Beirut", "2022-03-27T12:00:00Z", "2022-03-26T22:00", "2022-03-27T21:00"],
])("%s in %s at %s", (duration, zone, now, start, end) => {
  expect(window(duration, zone, now)).toEqual([`${start}:00.000Z`, `${end}:00.000Z`]);
});

test("windows follow one another without a gap, and every instant of one has its id", () => {
  const zones = [
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
  ];
  const durations = [
    "30s",
    "7s",
    "15m",
    "1h",
    "90m",
    "2h",
    "6h",
    "7h",
    "1d",
    "2d",
    "7d",
    "30d",
    "45d",
    "2w",
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.constantFrom(...durations, "1mo", "3mo", "12mo"),
      fc.integer({ min: at("2015-01-01"), max: at("2035-01-01") }),
      fc.integer({ min: at("2015-01-01"), max: at("2035-01-01") }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (zone, duration, since, now, part) => {
        const { id, startsAt, endsAt } = windowAt(duration, zone, since, now);
        if (endsAt === null) expect.fail();
        expect(startsAt <= now && now < endsAt).toBe(true);
        const inside = Math.min(endsAt - 1, Math.floor(startsAt + part * (endsAt - startsAt)));
        expect(windowAt(duration, zone, since, inside)).toEqual({ id, startsAt, endsAt });
        const next = windowAt(duration, zone, since, endsAt);
        expect(next.startsAt).toBe(endsAt);
        // Those of one definition have nothing in common; all that hold one instant have.
        expect([overlap(id, next.id), overlap(next.id, id)]).toEqual([false, false]);
        for (const other of [...durations, "1200mo", null]) {
          expect(overlap(id, windowAt(other, "UTC", since, inside).id)).toBe(true);
        }
        expect(windowAt(duration, zone, since, startsAt - 1).endsAt).toBe(startsAt);
      },
    ),
    { numRuns: 300 },
  );
});

test("without a duration there is one window, and names of no zone are told apart", () => {
  expect(windowAt(null, "UTC", 0, 5)).toMatchObject({ id: "life", endsAt: null });
  expect([isTimeZone("Europe/Berlin"), isTimeZone("Mars/Olympus")]).toEqual([true, false]);
});
