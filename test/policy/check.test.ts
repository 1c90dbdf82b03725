import fc from "fast-check";
import { expect, test } from "vitest";
import { calendarOf } from "../../worker/policy/calendar.ts";
import { link } from "../../worker/policy/evaluate.ts";
import { scheduleSignal } from "../../worker/policy/scheduled.ts";
import { yamlOf } from "./decisions.ts";
import { compiled } from "./documents.ts";

const RUNS = Number(process.env["FC_RUNS"] ?? 200);
const ZONE = "Europe/Berlin";
const SCHEDULE = { timezone: ZONE, business_hours: "08:00-18:00", overnight: "22:00-06:00" };
const CALENDAR = calendarOf(ZONE, {
  business: { zone: ZONE, days: ["mon", "tue", "wed", "thu", "fri"], from: 480, to: 1080 },
});

/** One thing that a condition asks, of the time or of the request: few values, so that rules often cover one another. */
const asked: fc.Arbitrary<Record<string, unknown>> = fc.oneof(
  fc.record({ "schedule.weekend": fc.boolean() }),
  fc.record({ "schedule.business_hours": fc.boolean() }),
  fc.record({ "schedule.overnight": fc.boolean() }),
  fc.record({ "schedule.weekday": fc.subarray(["mon", "fri", "sat"], { minLength: 1 }) }),
  fc.record({
    "schedule.hour": fc.oneof(
      fc.record({ lt: fc.constantFrom(6, 12, 20) }),
      fc.record({ gte: fc.constantFrom(6, 12, 20) }),
      fc.constantFrom(7, 23),
    ),
  }),
  fc.record({ "header.x-a": fc.subarray(["a", "b", "c"], { minLength: 1 }) }),
  fc.record({ "header.x-a": fc.record({ exists: fc.boolean() }) }),
  fc.record({ "identity.region": fc.record({ ne: fc.constantFrom("eu", "us") }) }),
  fc.record({
    "content.input_tokens": fc.oneof(
      fc.record({ gt: fc.constantFrom(5, 10) }),
      fc.record({ lte: fc.constantFrom(5, 10) }),
    ),
  }),
);
const when = fc.oneof(
  asked,
  fc.tuple(asked, asked).map((all) => ({ all })),
  fc.tuple(asked, asked).map((any) => ({ any })),
  asked.map((not) => ({ not })),
);
const schedule = fc.record({
  timezone: fc.constantFrom(ZONE, "UTC"),
  days: fc.constantFrom("mon-fri", "mon-sun", "sat-sun"),
  from: fc.constantFrom("00:00", "09:00", "22:00"),
  to: fc.constantFrom("12:00", "17:00", "24:00"),
});
const rule = fc.record({ when, schedule }, { requiredKeys: [] });

const request = fc.record({
  // Weeks around a change of the clocks.
  now: fc.integer({ min: Date.UTC(2026, 2, 20), max: Date.UTC(2026, 3, 10) }),
  "header.x-a": fc.constantFrom("a", "b", "d", null),
  "identity.region": fc.constantFrom("eu", "us", null),
  "content.input_tokens": fc.integer({ min: 0, max: 12 }),
});
type Asked = { now: number } & Record<string, string | number | null>;

const documentOf = (rules: object[]) =>
  yamlOf({ schedule: SCHEDULE, rules: rules.map((each) => ({ ...each, route: "a" })) });

/** Whether a rule by itself matches a request. */
function matcher(alone: object): (request: Asked) => boolean {
  const { plan } = compiled(documentOf([alone]));
  if (plan === null) throw new Error("A sound rule publishes.");
  const linked = link(plan);
  return ({ now, ...given }) =>
    linked.evaluate({
      now,
      read: (name) => scheduleSignal(name, now, CALENDAR) ?? given[name] ?? null,
    }).rule >= 0;
}

test("a rule that is refused as never reached is matched by no request that none before it takes", () => {
  let told = 0;
  fc.assert(
    fc.property(
      fc.array(rule, { minLength: 2, maxLength: 5 }),
      fc.array(request, { minLength: 25, maxLength: 25 }),
      (rules, requests) => {
        const sound = rules.filter((each) => compiled(documentOf([each])).plan !== null);
        const { faults } = compiled(documentOf(sound));
        const lost = faults.flatMap(({ code, message }) =>
          code === "unreachable" ? Number(/'rule-(\d+)' is never/.exec(message)?.[1]) - 1 : [],
        );
        for (const index of lost) {
          told++;
          const matches = matcher(sound[index] ?? {});
          const before = sound.slice(0, index).map(matcher);
          for (const each of requests as Asked[]) {
            if (matches(each)) expect(before.some((earlier) => earlier(each))).toBe(true);
          }
        }
      },
    ),
    { numRuns: RUNS },
  );
  expect(told).toBeGreaterThan(RUNS / 10);
});

test("a condition that is refused as one that never holds is met by no request", () => {
  let told = 0;
  fc.assert(
    fc.property(
      when,
      when,
      fc.array(request, { minLength: 25, maxLength: 25 }),
      (one, other, requests) => {
        const all = { all: [one, other] };
        const { faults } = compiled(documentOf([{ when: all }]));
        if (!faults.some(({ code }) => code === "never_true")) return;
        // Its opposite always holds, and publishes.
        const opposite = { when: { not: all } };
        if (compiled(documentOf([opposite])).plan === null) return;
        told++;
        const matches = matcher(opposite);
        for (const each of requests as Asked[]) expect(matches(each)).toBe(true);
      },
    ),
    { numRuns: RUNS * 2 },
  );
  expect(told).toBeGreaterThan(RUNS / 40);
});
