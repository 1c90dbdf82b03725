import fc from "fast-check";
import { stringify } from "yaml";
import type { Deployment } from "../../worker/core/model.ts";
import type { SignalValue } from "../../worker/core/policy.ts";

const regions = ["eu-central-1", "us-east-1", "cn-north-1", "eu-west-2", undefined];

/** Deployments of every kind of fact, known and unknown. */
export const deployments: fc.Arbitrary<Deployment[]> = fc
  .array(
    fc.record({
      region: fc.constantFrom(...regions),
      provider: fc.constantFrom("openai", "anthropic", "bedrock"),
      training: fc.constantFrom(true, false, undefined),
      days: fc.constantFrom(0, 30, 90, undefined),
      price: fc.constantFrom(150_000, 15_000_000, undefined),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((all) =>
    all.map(({ region, provider, training, days, price }, index) => ({
      id: `d${index}`,
      group: "g",
      provider,
      model: `m${index % 3}`,
      protocol: "openai-chat" as const,
      baseUrl: "sim:",
      ...(region !== undefined && { region }),
      weight: 1,
      order: 0,
      tags: [],
      facts: {
        capabilities: {},
        ...(price !== undefined && { prices: { input: price, output: price } }),
      },
      terms: {
        ...(training !== undefined && { training }),
        ...(days !== undefined && { retentionDays: days }),
      },
    })),
  );

/** A condition of signals of every class, private ones among them. */
const when: fc.Arbitrary<unknown> = fc.oneof(
  fc.record({ "identity.region": fc.constantFrom("eu", "us", "apac") }),
  fc.record({ "header.x-team": fc.constantFrom("a", "b") }),
  fc.record({
    "identity.customer_id": fc.constantFrom("c1", "c2"),
    "content.has_code": fc.boolean(),
  }),
  fc.record({ "budget.remaining_pct": fc.record({ lt: fc.integer({ min: 1, max: 99 }) }) }),
  fc.record({ "metadata.tags": fc.constantFrom("x", "y") }),
  fc.record({ "content.pii_detected": fc.boolean() }),
  fc
    .integer({ min: 1, max: 9 })
    .map((n) => `content.input_tokens / (budget.remaining_pct - 50) > ${n}`),
  fc.constant('identity.groups.exists(g, g.startsWith("a")) && schedule.hour > 9'),
  fc.record({ not: fc.record({ "identity.role": fc.constantFrom("member", "admin") }) }),
);

const entries = fc.oneof(
  fc.record({ residency: fc.constantFrom("eu-only", "us-only", "cn-only") }),
  fc.record({ training: fc.boolean() }),
  fc.record({ provider: fc.uniqueArray(fc.constantFrom("openai", "anthropic"), { minLength: 1 }) }),
  fc.record({ retention: fc.record({ lte: fc.constantFrom(0, 30, 60) }) }),
  fc.record({ price: fc.record({ output: fc.record({ lte: fc.constantFrom(1, 20) }) }) }),
  fc.record({ model: fc.constantFrom("m0", "m1") }),
);

export const constraint: fc.Arbitrary<Record<string, unknown>> = fc
  .record({ when, require: entries, forbid: entries }, { requiredKeys: [] })
  .filter((each) => each.require !== undefined || each.forbid !== undefined);

const action = fc.oneof(
  fc.record({ route: fc.constantFrom("a", "b", "c") }),
  fc.record({ block: fc.constant(true) }),
  fc.record({ residency: fc.constantFrom("eu-only", "us-only") }),
  fc.record({ throttle: fc.constant(true) }),
  fc.record({
    route: fc.constantFrom("a", "b"),
    max_cost_usd: fc.integer({ min: 1, max: 9 }),
    num_retries: fc.integer({ min: 0, max: 3 }),
  }),
);

const rule = fc
  .tuple(when, fc.constantFrom("match", "skip"), action, fc.boolean())
  .map(([condition, on_unknown, does, timed]) => ({
    when: condition,
    on_unknown,
    ...does,
    ...(timed && { schedule: { timezone: "Europe/Berlin", from: "08:00", to: "18:00" } }),
  }));

export const policy: fc.Arbitrary<{ rules: object[]; constraints: object[] }> = fc.record({
  rules: fc.array(rule, { maxLength: 6 }),
  constraints: fc.array(constraint, { maxLength: 4 }),
});

export const yamlOf = (document: object) => stringify(document, { aliasDuplicateObjects: false });

const maybe = <T>(of: fc.Arbitrary<T>) => fc.oneof(of, fc.constant(null), fc.constant(undefined));

/** Signals of one request; undefined is unknown. */
export const request: fc.Arbitrary<Record<string, SignalValue | undefined>> = fc.record({
  "identity.region": maybe(fc.constantFrom("eu", "us")),
  "header.x-team": maybe(fc.constantFrom("a", "b", "c")),
  "identity.customer_id": maybe(fc.constantFrom("c1", "c3")),
  "content.has_code": fc.boolean(),
  "budget.remaining_pct": maybe(fc.integer({ min: 0, max: 100 })),
  "metadata.tags": maybe(fc.array(fc.constantFrom("x", "z"), { maxLength: 2 })),
  "content.pii_detected": maybe(fc.boolean()),
  "content.input_tokens": fc.integer({ min: 0, max: 5_000 }),
  "identity.groups": maybe(fc.array(fc.constantFrom("alpha", "beta"), { maxLength: 2 })),
  "schedule.hour": fc.integer({ min: 0, max: 23 }),
  "identity.role": fc.constantFrom("member", "admin"),
});
