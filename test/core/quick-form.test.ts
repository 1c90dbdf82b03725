import fc from "fast-check";
import { expect, test } from "vitest";
import * as z from "zod";
import { AUDIT_EVENTS } from "../../worker/core/audit.ts";
import { dataSchema } from "../../worker/core/audit-data.ts";
import { quickForm } from "../../worker/core/quick-form.ts";

/** Values that fit a form, made out of the form itself, and now and then something else in their place. */
function near(form: z.ZodType): fc.Arbitrary<unknown> {
  const { def } = form as unknown as { def: Record<string, unknown> };
  const inner = (name: string) => near(def[name] as z.ZodType);
  const fits = (): fc.Arbitrary<unknown> => {
    switch (def["type"]) {
      case "string":
        return fc.oneof(
          fc.constantFrom("a", "", "1.5", "-3", "rule_1", "2026-11-26T10:00:00Z", "x".repeat(43)),
          fc.string({ maxLength: 300 }),
        );
      case "number":
        return fc.oneof(fc.integer(), fc.double(), fc.constantFrom(-0, 2 ** 53, NaN, Infinity));
      case "boolean":
        return fc.boolean();
      case "null":
        return fc.constant(null);
      case "literal":
        return fc.constantFrom(...(def["values"] as unknown[]));
      case "enum":
        return fc.constantFrom(...Object.values(def["entries"] as object));
      case "optional":
        return fc.option(inner("innerType"), { nil: undefined });
      case "nullable":
        return fc.option(inner("innerType"));
      case "union":
        return fc.oneof(...(def["options"] as z.ZodType[]).map(near));
      case "array":
        return fc.array(inner("element"), { maxLength: 3 });
      case "record":
        return fc.dictionary(
          fc.oneof(fc.constantFrom("a.b", "key", "7"), fc.string()),
          inner("valueType"),
          { maxKeys: 3 },
        );
      case "object": {
        const shape = def["shape"] as Record<string, z.ZodType>;
        return fc.record(Object.fromEntries(Object.entries(shape).map(([k, v]) => [k, near(v)])), {
          requiredKeys: [],
        });
      }
      default:
        return fc.object({ maxDepth: 2 });
    }
  };
  return fc.oneof(
    { weight: 60, arbitrary: fits() },
    { weight: 1, arbitrary: fc.anything({ maxDepth: 1, withNullPrototype: true, withMap: true }) },
  );
}

/** The same with a member that nobody asked for, or with whatever JSON can't say. */
function strange(value: unknown): unknown[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [value];
  return [
    value,
    { ...value, stranger: "x" },
    JSON.parse(JSON.stringify(value).replace("{", '{"__proto__":{"a":1},').replace(",}", "}")),
    Object.assign(Object.create({ inherited: 1 }) as object, value),
  ];
}

const forms = [...new Set(AUDIT_EVENTS.map(dataSchema))];

test("what is found sound at once is what zod takes, unchanged", () => {
  for (const form of forms) {
    const quick = quickForm(form);
    fc.assert(
      fc.property(near(form), (made) => {
        for (const value of strange(made)) {
          if (!quick(value)) continue;
          const read = form.safeParse(value);
          expect(read.success).toBe(true);
          expect(read.data).toEqual(value);
        }
      }),
      { numRuns: Number(process.env["ROUTERO_RUNS"] ?? 100) },
    );
  }
});

test("what the path writes is found sound at once", () => {
  const reserved = { cost: 1, requests: 1, tokens: 1 };
  const scope = { kind: "customer", id: "c1", meter: "rate" };
  const decision = {
    deadline: 1_700_000_000_000,
    leases: [{ scope, leaseId: "1", windowId: "m1", revision: 1, reserved }],
    signals: { values: { "request.model": "m", tools: true }, unknown: [], predicates: {} },
    candidates: [{ deployment: "d1", state: [1, null, "closed"], dropped: "unhealthy" }],
    budget: { "team:t1": { settled: 1, limit: null } },
    rule_id: null,
    stream: false,
  };
  expect(quickForm(dataSchema("request.routed"))(decision)).toBe(true);
  const usage = { tokens_input: 1, tokens_output: 2, usage_estimated: false };
  const attempt = {
    deployment: "d1",
    status: 200,
    error: null,
    cost_usd: "0.0001",
    duration_ms: 5,
  };
  const outcome = { status: 200, ...usage, attempts: [attempt], cache_hit: null };
  expect(quickForm(dataSchema("request.completed"))(outcome)).toBe(true);
});

test("what it does not know, or what changes a value, is left to the form", () => {
  const forms = [
    z.string().trim(),
    z.string().default("x"),
    z.coerce.number(),
    z.iso.datetime(),
    z.object({ a: z.string() }),
    z.string().refine((text) => text === "never"),
    z.string().regex(/a/g),
    z.preprocess(String, z.string()),
    z.lazy(() => z.string()),
    z.tuple([z.string()]),
    z.date(),
    z.email(),
    z.number().multipleOf(2),
  ];
  const values = ["a", " a ", "", 1, 2, null, undefined, { a: "b", c: 1 }, ["a"], new Date(0)];
  for (const form of forms) {
    for (const value of values) {
      if (!quickForm(form)(value)) continue;
      expect(form.safeParse(value)).toStrictEqual({ success: true, data: value });
    }
  }
});
