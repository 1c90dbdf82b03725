import { expect, test } from "vitest";
import { faultText } from "../../worker/policy/faults.ts";
import { compiled } from "./documents.ts";
import { documentWith, MISTAKES } from "./malformed.ts";

const KNOWN = {
  serves: (name: string) => name === "a" || name === "b",
  groups: ["a", "b"],
  providers: ["openai", "anthropic"],
  hasFeature: () => false,
  detectors: [],
  gateway: "global",
};

test("sound rules around a mistake are sound", () => {
  const mistake = {
    kind: "none",
    code: "",
    at: "rules",
    text: "- { id: own, when: { header.x-own: a }, route: a }",
  } as const;
  const { faults, plan } = compiled(documentWith(mistake, 3).yaml, KNOWN);
  expect(faults).toEqual([]);
  expect(plan?.rules).toHaveLength(5);
});

test("there are 200 documents of 30 kinds and more, 5 of them well typed", () => {
  expect(MISTAKES.length * 4).toBeGreaterThanOrEqual(200);
  expect(new Set(MISTAKES.map(({ kind }) => kind)).size).toBe(MISTAKES.length);
  expect(MISTAKES.filter(({ meant }) => meant === true).length).toBeGreaterThanOrEqual(5);
});

test.each(MISTAKES)("$kind is refused at its line", (mistake) => {
  for (const before of [0, 1, 4, 9]) {
    const { yaml, line } = documentWith(mistake, before);
    const { plan, faults } = compiled(yaml, KNOWN);
    const errors = faults.filter(({ severity }) => severity === "error");
    expect(plan, yaml).toBeNull();
    const at = errors.map((each) => `${each.line} ${each.code}`);
    expect(at, errors.map(faultText).join("\n")).toContain(`${line} ${mistake.code}`);
    // Nothing else is wrong, so nothing else is blamed: a mistake may show in one line more at most.
    expect(new Set(errors.map((each) => each.line)).size, at.join(", ")).toBeLessThanOrEqual(2);
    const [first] = errors;
    expect(first?.source).toBe(yaml.split("\n")[(first?.line ?? 0) - 1]);
    expect(first && first.column + first.length - 1).toBeLessThanOrEqual(
      (first?.source.length ?? 0) + 1,
    );
  }
});

test("a retention that is shorter than what the gateway keeps everything for is warned of at its line", () => {
  const yaml = "rules:\n  - route: a\n    audit:\n      retention_days: ";
  const warned = (days: number, retentionDays: number | null) => {
    const { plan, faults } = compiled(`${yaml}${days}\n`, { ...KNOWN, retentionDays });
    expect(plan).not.toBeNull();
    return faults.map(({ severity, code, line }) => [severity, code, line]);
  };
  expect(warned(29, 30)).toEqual([["warning", "not_shorter", 4]]);
  expect(warned(30, 30)).toEqual([]);
  // Offline nobody knows how long a gateway keeps its records.
  expect(warned(29, null)).toEqual([]);
});
