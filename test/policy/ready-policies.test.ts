import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkDocument } from "../../worker/policy/checked.ts";
import { policySchema } from "../../worker/policy/json-schema.ts";
import { OFFLINE } from "../../worker/policy/known.ts";
import { FAMILIES, SIGNAL_NAMES, SIGNALS } from "../../worker/policy/signals.ts";
import { CATEGORIES } from "../../worker/routing/smart/categories.ts";
import { TIERS } from "../../worker/routing/smart/classify.ts";

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
