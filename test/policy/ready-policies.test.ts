import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { checkDocument } from "../../worker/policy/checked.ts";
import { policySchema } from "../../worker/policy/json-schema.ts";
import { OFFLINE } from "../../worker/policy/known.ts";
import { FAMILIES, SIGNAL_NAMES, SIGNALS } from "../../worker/policy/signals.ts";
import { CATEGORIES } from "../../worker/routing/smart/categories.ts";
import { TIERS } from "../../worker/routing/smart/classify.ts";
import { documentWith, MISTAKES } from "./malformed.ts";

const folder = join(import.meta.dirname, "..", "..", "policies");
const read = (name: string) => readFileSync(join(folder, name), "utf8");
const names = readdirSync(folder).filter((each) => /(?<!\.test)\.yaml$/.test(each));

test("there are 42 signals: the closed list of the contract, its families counted once each", () => {
  expect(SIGNAL_NAMES.length + Object.keys(FAMILIES).length).toBe(42);
});

test("the schema for editors is what the tables say: node scripts/policy-schema.ts writes it", () => {
  expect(JSON.parse(read("policy.schema.json"))).toEqual(policySchema());
});

test.each(names)("%s is sound, and its cases come to every rule", (name) => {
  const { faults, suite } = checkDocument(
    OFFLINE,
    read(name),
    read(name.replace(".yaml", ".test.yaml")),
    name,
  );
  expect(faults.map(({ message }) => message)).toEqual([]);
  expect(suite?.passed).toBe(suite?.cases.length);
  expect(suite?.cases.length).toBeGreaterThan(2);
  expect(suite?.uncovered).toEqual([]);
});

test("the folder holds the policies that people begin with", () => {
  expect(names.toSorted()).toEqual(
    ["business-hours", "cost-saver", "default", "eu-residency", "regulated", "strict"].map(
      (name) => `${name}.yaml`,
    ),
  );
});

test("tasks and tiers are those of the classifier", () => {
  expect(SIGNALS["content.task"].values).toEqual(CATEGORIES);
  expect(SIGNALS["content.difficulty"].values).toEqual(TIERS);
});

const fits = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(
  JSON.parse(read("policy.schema.json")) as object,
);

/** Every key, action and operator in a sound document. */
const WHOLE = `workspace: acme
version: 3
name: whole
description: all there is
schedule: { timezone: Europe/Berlin, business_hours: "09:00-17:00", business_days: mon-fri, overnight: "22:00-06:00" }
constants: { eu: [eu-west-1, eu-central-1], big: 4000, team: red }
constraints:
  - { id: c1, description: d, enabled: true, when: { content.data_class: PII }, require: { residency: eu-only, retention: none, training: false } }
  - { id: c2, when: 'size(content.tools) > 2', forbid: { provider: [openai, anthropic], model: { starts_with: gpt- }, region: constants.eu, price: { input: { gt: 5 }, output: { gte: 10 } } } }
  - { id: c3, require: { retention: { lte: 30 }, residency: [eu-west-1, eu-central-1] } }
defaults: { max_cost_usd: 5, timeout: 30.5, num_retries: 2, audit: { log_inputs: true, retention_days: 400 } }
rules:
  - { id: r1, when: { team: constants.team, content.input_tokens: { gt: constants.big, lte: 9000 } }, block: true }
  - { id: r2, when: { any: [{ identity.region: { in: [eu, uk] } }, { not: { identity.groups: { contains: a } } }] }, block: { message: no } }
  - { id: r3, when: { all: [{ budget.remaining_pct: { between: [5, 20] } }, { content.model: { matches: "^gpt" } }] }, route: a, fallbacks: [b], strategy: least-busy }
  - { id: r4, when: { metadata.tier: 3, metadata.tags: [x, y], header.X-Team: { ne: b } }, on_unknown: skip, throttle: true }
  - { id: r5, when: { content.pii_detected: true }, on_redaction_fail: block, route: a, fallbacks: [] }
  - { id: r6, when: { schedule.hour: [1, 2], identity.customer_id: { exists: true } }, alert: { channel: webhook, message: m } }
  - { id: r7, schedule: { timezone: UTC, days: [mon, sat], from: "08:00", to: "24:00" }, residency: eu-only }
  - { enabled: false, route: c }
`;

test("the schema takes what the language takes, the ready policies among it", () => {
  expect(checkDocument(OFFLINE, WHOLE).faults).toEqual([]);
  for (const text of [WHOLE, ...names.map(read)]) {
    expect(fits(parse(text)), JSON.stringify(fits.errors)).toBe(true);
  }
});

/** What only reading a text, comparing rules, or the organization can tell. */
const BEYOND = new Set([
  "bad_text",
  "bad_pattern",
  "cel_syntax",
  "constant_condition",
  "detector_off",
  "duplicate_id",
  "missing_target",
  "schedule_overlap",
  "unknown_constant",
  "unknown_function",
  "unknown_provider",
  "unreachable",
  "yaml",
]);
const IN_CEL = /CEL/;

test("the schema refuses the mistakes that an editor can see", () => {
  const seen = MISTAKES.filter(({ code, kind }) => !BEYOND.has(code) && !IN_CEL.test(kind));
  const passed = seen.filter((mistake) => fits(parse(documentWith(mistake, 1).yaml)));
  expect(passed.map(({ kind }) => kind)).toEqual([
    "unknown time zone",
    "hour that no day has",
    "bound that always holds",
    "conditions that contradict",
    "range backwards",
    "window of nothing",
    "window from the day's end to its beginning",
    "schedule that its condition never meets",
    "hours of the business at night",
    "throttle beside a route that is not smart",
    "throttle beside a route of the defaults",
    "constraint that nothing meets",
    "constraint at a time that never is",
    "class in the place of a region",
  ]);
  expect(seen.length).toBeGreaterThan(passed.length * 2);
});
