import { expect, test } from "vitest";
import { faultText } from "../../worker/policy/faults.ts";
import type { Known } from "../../worker/policy/known.ts";
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

test.each([
  [
    "rules:\n  - id: rule-2\n    when: { identity.region: eu }\n    route: a\n  - route: b\n",
    "5:5 duplicate_id",
  ],
  // The quote begins there, wherever the text ends.
  ['rules:\n  - when: \'identity.region == "eu"\n    route: a\n  - route: b\n', "2:11 yaml"],
  // What is missing was meant by the misspelt name: one mistake, one fault.
  ["rules:\n  - { rout: a }\n", "2:7 unknown_key"],
  ["constraints:\n  - { forbidd: { training: true } }\n", "2:7 unknown_key"],
])("%j has one fault, at %s", (yaml, at) => {
  const { faults } = compiled(yaml, KNOWN);
  expect(faults.map(({ line, column, code }) => `${line}:${column} ${code}`)).toEqual([at]);
});

test.each([
  ["when: !content.has_code", "a text that begins with '!' stands in quotes"],
  ['when: "a" in identity.groups', "stands in other quotes as a whole"],
  ["when: 'identity.region = \"eu\"'", "equality is =="],
  ["when: 'content.has_code and content.has_code'", "'and' is written &&"],
  ["when: 'content.has_code or content.has_code'", "'or' is written ||"],
  ["when: 'not content.has_code'", "'not' is written !"],
  ["when: identity.region == eu", 'a text stands in quotes, as "eu"'],
  ["when: header.x-my-team == 'red'", 'stands in brackets: header["x-my-team"]'],
  ["when: { identity: { region: eu } }", "as identity.region"],
  ["when: { identity.cost_center: 4711 }", 'write "4711" in quotes'],
  ["when: { region.country: Germany }", "two letters of ISO 3166-1"],
  ['when: \'region.country in ["UK", "FR"]\'', "never 'UK'"],
  ["when: { content.data_class: top secret }", "one word of letters"],
  ['when: { identity.region: "e\u200bu" }', "nobody sees stands here (U+200B)"],
  ["when: { headers.x-team: a }", "did you mean 'header.x-team'?"],
  ["when: { header.x team: a }", "a name behind the dot that a header can have"],
  ["when: { route: a }", "it stands beside 'when', further to the left"],
  ["identity.region: eu", "a condition stands under 'when', further to the right"],
  ["<<: { block: true }", "merge keys are not read"],
  ["when: *eu", "nothing above this is called '&eu'"],
  ["when: '!identity.region == \"eu\"'", "as !(a == b)"],
  ["when: 'identity.region == \u201ceu\u201d'", "stands in straight quotes"],
  ["when: 'content.input_tokens > 4k'", "a number is digits alone"],
  ["when: 'content.tools == []'", "as list == null"],
  ["residency: eu", "did you mean 'eu-only'?"],
])("%s is told what was meant", (when, told) => {
  const { faults } = compiled(`rules:\n  - ${when}\n    route: a\n`, KNOWN);
  expect(faults[0]?.message).toContain(told);
});

test("a document is for the workspace and the team that it names", () => {
  const names = { workspace: ["acme", "org_1"], team: null };
  const yaml = "workspace: finance\nteam: lab\nrules: [{ route: a }]\n";
  const sent = (known: Partial<Known>) =>
    compiled(yaml, { ...KNOWN, ...known }).faults.map(({ severity, code, line }) => [
      severity,
      code,
      line,
    ]);
  const elsewhere = ["warning", "other_workspace", 1];
  // For the whole organization, it would bind every team.
  expect(sent({ names })).toEqual([elsewhere, ["error", "other_team", 2]]);
  expect(sent({ names: { ...names, team: ["ops", "t-2"] }, team: true })).toEqual([
    elsewhere,
    ["error", "other_team", 2],
  ]);
  expect(sent({ names: { workspace: ["finance"], team: ["lab", "t-1"] }, team: true })).toEqual([]);
  expect(sent({ names: null })).toEqual([]);
});

test("a country that nobody tells a gateway is warned of", () => {
  const yaml = "rules:\n  - when: { region.country: DE }\n    route: a\n";
  const { plan, faults } = compiled(yaml, { ...KNOWN, country: false });
  expect([plan !== null, faults.map(({ code, line }) => [code, line])]).toEqual([
    true,
    [["always_absent", 2]],
  ]);
});

test("what is accepted and does nothing is said at its line", () => {
  const yaml =
    "rules:\n  - when: { identity.region: eu }\n    route: a\n    on_redaction_fail: block\n";
  const { plan, faults } = compiled(yaml, { ...KNOWN, redacts: false });
  expect([plan !== null, faults.map(({ code, line }) => [code, line])]).toEqual([
    true,
    [["not_redacted", 4]],
  ]);
});

test("a rule's schedule goes by the document's zone where it names none", () => {
  const zoneOf = (top: string, own: string) => {
    const { plan } = compiled(`${top}rules: [{ route: a, schedule: { ${own}from: "08:00" } }]\n`);
    const [within] = plan?.predicates ?? [];
    return within?.is === "within" ? within.window.zone : null;
  };
  const berlin = "schedule: { timezone: Europe/Berlin }\n";
  expect(zoneOf(berlin, "")).toBe("Europe/Berlin");
  expect(zoneOf(berlin, "timezone: Asia/Tokyo, ")).toBe("Asia/Tokyo");
  expect(zoneOf("", "")).toBe("UTC");
});

test("a model that nothing here has is warned of where it is demanded", () => {
  const yaml = "constraints:\n  - forbid: { model: [a, gpt4o] }\n  - require: { model: b }\n";
  const { plan, faults } = compiled(yaml, { ...KNOWN, bears: KNOWN.serves });
  expect([plan !== null, faults.map(({ code, line, message }) => [code, line, message])]).toEqual([
    true,
    [["names_nothing", 2, expect.stringContaining("'gpt4o', so that the name stands for nothing")]],
  ]);
});
