import fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import type { SignalValue } from "../../worker/core/policy.ts";
import { leavesOf, mapTree, type Predicate, type Tree } from "../../worker/policy/condition.ts";
import { celText } from "../../worker/policy/describe.ts";
import { linkTree } from "../../worker/policy/evaluate.ts";
import { compiled, decided } from "./documents.ts";

const RUNS = Number(process.env["FC_RUNS"] ?? 1_000);
const texts = ["eu", "us", "a-b", 'q"\\', "constant", "ü"];

/** A member of a `when` map: a signal of each type under each operator that fits it. */
const member = fc.oneof(
  fc.tuple(
    fc.constantFrom("identity.region", "identity.cost_center", "header.X-Team", "content.model"),
    fc.oneof(
      fc.constantFrom(...texts),
      fc.uniqueArray(fc.constantFrom(...texts), { minLength: 1, maxLength: 4 }),
      fc.record({ eq: fc.constantFrom(...texts) }),
      fc.record({ ne: fc.constantFrom(...texts) }),
      fc.record({ not_in: fc.array(fc.constantFrom(...texts), { minLength: 1, maxLength: 3 }) }),
      fc.record({ contains: fc.constantFrom("u", "-", '"') }),
      fc
        .record({ starts_with: fc.constantFrom("e", "a", "") })
        .filter((each) => each.starts_with !== ""),
      fc.record({ matches: fc.constantFrom("^e", "[a-u]s?$", "\\\\", "(?i)^EU$") }),
      fc.record({ exists: fc.boolean() }),
    ),
  ),
  fc.tuple(
    fc.constantFrom("content.input_tokens", "budget.remaining_usd"),
    fc.oneof(
      fc.integer({ min: 0, max: 9 }),
      fc.record({ lt: fc.integer({ min: 1, max: 9 }) }),
      fc.record({ gte: fc.integer({ min: 1, max: 9 }), lte: fc.integer({ min: 1, max: 9 }) }),
      fc.record({ gt: fc.integer({ min: 0, max: 9 }) }),
      fc
        .tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 5, max: 9 }))
        .map((between) => ({ between })),
    ),
  ),
  fc.tuple(fc.constantFrom("content.has_code", "region.fedramp"), fc.boolean()),
  fc.tuple(
    fc.constantFrom("identity.groups", "content.tools"),
    fc.oneof(
      fc.constantFrom(...texts),
      fc.array(fc.constantFrom(...texts), { minLength: 1, maxLength: 3 }),
      fc.record({ not_in: fc.array(fc.constantFrom(...texts), { minLength: 1, maxLength: 3 }) }),
      fc.record({ starts_with: fc.constantFrom("e", "a") }),
      fc.record({ exists: fc.boolean() }),
    ),
  ),
  fc.tuple(
    fc.constantFrom("metadata.tier", "metadata.tags"),
    fc.oneof(
      fc.constantFrom<unknown>("eu", 3, true),
      fc.constant(["eu", "us"]),
      fc.constant({ contains: "u" }),
    ),
  ),
);

const when: fc.Arbitrary<Record<string, unknown>> = fc.letrec<{ map: Record<string, unknown> }>(
  (tie) => ({
    map: fc.oneof(
      { maxDepth: 3, depthSize: "small" },
      fc
        .array(member, { minLength: 1, maxLength: 3 })
        .map((entries) => Object.fromEntries(entries) as Record<string, unknown>),
      fc.record({ all: fc.array(tie("map"), { minLength: 1, maxLength: 3 }) }),
      fc.record({ any: fc.array(tie("map"), { minLength: 1, maxLength: 3 }) }),
      fc.record({ not: tie("map") }),
    ),
  }),
).map;

const some = <T>(of: fc.Arbitrary<T>) => fc.oneof(of, fc.constant(null), fc.constant(undefined));
const signals: fc.Arbitrary<Record<string, SignalValue | undefined>> = fc.record({
  "identity.region": some(fc.constantFrom(...texts)),
  "identity.cost_center": some(fc.constantFrom(...texts)),
  "header.x-team": some(fc.constantFrom(...texts)),
  "content.model": some(fc.constantFrom(...texts)),
  "content.input_tokens": some(fc.integer({ min: 0, max: 10 })),
  "budget.remaining_usd": some(fc.integer({ min: 0, max: 10 })),
  "content.has_code": some(fc.boolean()),
  "region.fedramp": some(fc.boolean()),
  "identity.groups": some(fc.array(fc.constantFrom(...texts), { maxLength: 3 })),
  "content.tools": some(fc.array(fc.constantFrom(...texts), { maxLength: 3 })),
  "metadata.tier": some(fc.constantFrom<SignalValue>("eu", 3, true, ["eu"])),
  "metadata.tags": some(fc.array(fc.constantFrom("eu", "us"), { maxLength: 2 })),
});

function treeOf(yaml: string): Tree<Predicate> | null {
  const { plan } = compiled(yaml);
  const condition = plan?.rules[0]?.when;
  if (plan == null || condition == null) return null;
  return mapTree(condition, (index) => plan.predicates[index] as Predicate);
}

test("the map form and its CEL translation decide alike", () => {
  let read = 0;
  fc.assert(
    fc.property(when, fc.array(signals, { minLength: 1, maxLength: 8 }), (map, all) => {
      const tree = treeOf(stringify({ rules: [{ when: map, on_unknown: "skip", route: "a" }] }));
      // Some drawn conditions contradict themselves, which publication refuses.
      if (tree === null) return;
      read++;
      const text = celText(tree);
      const again = treeOf(stringify({ rules: [{ when: text, on_unknown: "skip", route: "a" }] }));
      expect(again, text).not.toBeNull();
      if (again === null) return;
      for (const given of all) {
        const get = (name: string) => given[name];
        expect(linkTree(again)(get), text).toBe(linkTree(tree)(get));
      }
    }),
    { numRuns: RUNS },
  );
  expect(read).toBeGreaterThan(RUNS / 2);
});

test("an unknown signal never makes a certain answer: whatever it may turn out to be, the answer stands", () => {
  fc.assert(
    fc.property(when, signals, signals, (map, given, other) => {
      const tree = treeOf(stringify({ rules: [{ when: map, on_unknown: "skip", route: "a" }] }));
      if (tree === null) return;
      const answer = linkTree(tree)((name) => given[name]);
      if (answer > 1) return;
      const filled = (name: string) => given[name] ?? (given[name] === null ? null : other[name]);
      expect(linkTree(tree)(filled)).toBe(answer);
    }),
    { numRuns: RUNS },
  );
});

test("a predicate that several rules share stands in the plan once", () => {
  const { plan } = compiled(`rules:
  - { when: { identity.region: eu, content.has_code: true }, route: a }
  - { when: identity.region == "eu", route: b }`);
  expect(plan?.predicates).toHaveLength(2);
  expect(
    plan?.rules.flatMap(({ when: condition }) => (condition === null ? [] : leavesOf(condition))),
  ).toEqual([0, 1, 0]);
});

test("only signals that the decision comes to are read, each once", () => {
  const { plan } = compiled(`rules:
  - { when: { identity.region: eu, content.has_code: true }, route: a }
  - { when: { identity.region: us }, route: b }`);
  expect(plan).not.toBeNull();
  const asked: string[] = [];
  const yaml = `rules:
  - { when: { identity.region: us }, route: b }
  - { when: { content.has_code: true }, route: a }`;
  const given = new Proxy({ "identity.region": "us" } as Record<string, SignalValue>, {
    get(target, name) {
      asked.push(String(name));
      return target[String(name)];
    },
  });
  expect(decided(yaml, given).route).toBe("b");
  expect(asked).toEqual(["identity.region"]);
});

test("arithmetic without a result fails: no rule matches by it, and a constraint applies", () => {
  const verdict = decided(
    `constraints:
  - { id: c, when: 1000 / content.input_tokens > 2, forbid: { provider: openai } }
rules:
  - { id: r, when: 1000 / content.input_tokens > 2, block: true }
  - { id: rest, route: a }`,
    { "content.input_tokens": 0 },
  );
  expect(verdict.rule).toBe("rest");
  expect(verdict.parts[0]?.constraints).toEqual(["c"]);
  // Who reads the record is told.
  expect(verdict.signals.failed).toEqual(["c", "r"]);
});

test.each([
  ["{ identity.region: EU }", { "identity.region": "eu" }],
  ["{ content.data_class: [PII, Secret] }", { "content.data_class": "secret" }],
  ["{ identity.plan: { starts_with: Enter } }", { "identity.plan": "enterprise" }],
  ["{ identity.plan: { matches: ^ENT\\w+$ } }", { "identity.plan": "enterprise" }],
  ["{ region.country: { in: [de, at] } }", { "region.country": "AT" }],
  ['identity.region == "EU"', { "identity.region": "eu" }],
  ['"EU" == identity.region', { "identity.region": "eu" }],
  ['identity.region in ["US", "EU"]', { "identity.region": "eu" }],
  ['content.data_class.endsWith("II")', { "content.data_class": "pii" }],
  ['content.data_class.matches("^PII?$")', { "content.data_class": "pi" }],
])(
  "what is read in one case is compared in it, however a document writes it: %s",
  (text, given) => {
    const rules = `rules: [{ id: it, when: ${text.startsWith("{") ? text : `'${text}'`}, route: a }]`;
    expect(decided(rules, given).rule).toBe("it");
  },
);

test("what is read as it was written is compared as it is written", () => {
  const rules = "rules: [{ id: it, when: { identity.cost_center: CC-7 }, route: a }]";
  expect(decided(rules, { "identity.cost_center": "CC-7" }).rule).toBe("it");
  expect(decided(rules, { "identity.cost_center": "cc-7" }).rule).toBeNull();
});
