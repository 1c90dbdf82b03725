import fc from "fast-check";
import { expect, test } from "vitest";
import { checkDocument } from "../../worker/policy/checked.ts";
import { OFFLINE } from "../../worker/policy/known.ts";

const errors = (yaml: string) =>
  checkDocument(OFFLINE, yaml).faults.filter(({ severity }) => severity === "error");

test.each([
  ["brackets without end", "[".repeat(100_000)],
  ["maps without end", `rules: ${"{a: ".repeat(20_000)}`],
  ["an alias of itself", "rules: &a [*a]"],
  [
    "aliases that unfold to billions",
    `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 9 }, (_, i) => `${String.fromCharCode(98 + i)}: &${String.fromCharCode(98 + i)} [${Array.from({ length: 9 }, () => `*${String.fromCharCode(97 + i)}`).join(",")}]`).join("\n")}\nrules: *j`,
  ],
  ["thousands of documents", "---\na: 1\n".repeat(5_000)],
  ["a megabyte", `rules: [{ route: ${"x".repeat(1_000_000)} }]`],
  ["names of objects", "__proto__: { a: 1 }\nconstructor: 1\nrules: [{ toString: x }]"],
  [
    "forty thousand names in one map",
    `{${Array.from({ length: 40_000 }, (_, n) => `a${n}`).join(",")}}`,
  ],
  ["nothing", ""],
  ["a comment", "# nothing"],
  ["null bytes", "rules: [{ route: \"\\0\", when: 'a\u0000b' }]"],
  [
    "expressions nested beyond reason",
    `rules: [{ route: a, when: '${"(".repeat(900)}true${")".repeat(900)}' }]`,
  ],
  [
    "a rule of thousands of alternatives",
    `rules:\n${Array.from({ length: 60 }, (_, r) => `  - { route: a, when: { any: [${Array.from({ length: 30 }, (__, i) => `{ header.x-a: v${r}-${i}, header.x-b: w }`).join(", ")}] } }`).join("\n")}\n  - { rout: a }`,
  ],
])("%s are refused in time, as a fault with a place", (_, yaml) => {
  const start = performance.now();
  const found = errors(yaml);
  expect(performance.now() - start).toBeLessThan(5_000);
  expect(found.length).toBeGreaterThan(0);
  for (const { line, column, message } of found) {
    expect(line).toBeGreaterThan(0);
    expect(column).toBeGreaterThan(0);
    expect(message).not.toBe("");
  }
});

test("whatever a document holds, reading it ends in a plan or in faults", () => {
  const piece = fc.constantFrom(
    "rules:",
    "- ",
    "when: ",
    "{",
    "}",
    "[",
    "]",
    "route: a",
    "\n",
    "  ",
    ": ",
    "&a ",
    "*a",
    "!!str ",
    "|",
    ">",
    '"',
    "'",
    "---",
    "identity.region",
    "eu",
    "block: true",
    "#",
    "\t",
    "constraints:",
    "forbid: ",
    "matches: (",
    "&&",
    "1e999",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const { plan, faults } = checkDocument(OFFLINE, pieces.join(""));
      if (plan === null) expect(faults.some(({ severity }) => severity === "error")).toBe(true);
    }),
    { numRuns: Number(process.env["FC_RUNS"] ?? 1_500) },
  );
});

const clock = (minute: number) =>
  [Math.floor(minute / 60), minute % 60].map((each) => String(each).padStart(2, "0")).join(":");
const ZONES = ["Europe/Berlin", "America/New_York", "Asia/Tokyo"];
const thousand = (rule: (n: number) => string) =>
  `rules:\n${Array.from({ length: 1_000 }, (_, n) => `  - { route: a, ${rule(n)} }`).join("\n")}\n`;

test.each([
  [
    "12,000 aliases of one anchor",
    `constants: { a: &a x }\nrules:\n${Array.from({ length: 600 }, (_, n) => `  - { route: a, when: { header.x-${n}: [${Array(20).fill("*a").join(",")}] } }`).join("\n")}\n`,
  ],
  [
    "a thousand schedules",
    thousand((n) => `schedule: { from: "${clock(n)}", to: "${clock(n + 1)}" }`),
  ],
  [
    "a thousand schedules in three zones",
    thousand(
      (n) =>
        `schedule: { timezone: ${ZONES[n % 3]}, days: ${["mon", "wed", "fri"][n % 3]}, from: "${clock(n)}", to: "${clock(n + 1)}" }`,
    ),
  ],
  [
    "a thousand schedules with conditions",
    thousand(
      (n) =>
        `when: { header.x: v${n}, schedule.hour: { lt: 23 } }, schedule: { from: "00:00", to: "${clock(n + 1)}" }`,
    ),
  ],
  [
    "conditions with 32 ways to hold each",
    thousand((n) => {
      const either = (a: string, b: string) => `(header["${a}"] == "${n}" || ${b})`;
      return `when: '${either("a", "content.has_code")} && ${either("b", "schedule.weekend")} && ${either("a", "schedule.overnight")} && ${either("b", "schedule.hour > 3")} && (schedule.hour < 20 || header.a == "${n}")'`;
    }),
  ],
])("%s are sound, and read in time", (_, yaml) => {
  const start = performance.now();
  expect(errors(yaml)).toEqual([]);
  // Each took a minute and more before its work was bounded.
  expect(performance.now() - start).toBeLessThan(15_000);
});

test.each([
  [
    "texts longer than a request can have",
    `cases:\n  - { name: a, given: &g { metadata.x: ${"ab".repeat(60_000)} }, expect: { rule: null } }\n${"  - { name: b, given: *g, expect: { rule: null } }\n".repeat(400)}`,
  ],
  [
    "texts that all patterns walk, in hundreds of cases",
    `cases:\n  - { name: a, given: &g { metadata.x: [${Array(16).fill("ab".repeat(500)).join(",")}] }, expect: { rule: null } }\n${"  - { name: b, given: *g, expect: { rule: null } }\n".repeat(400)}`,
  ],
  [
    "targets that all patterns walk",
    `targets:\n${Array.from({ length: 100 }, (_, n) => `  - { id: t${n}, region: ${"a".repeat(250)} }\n`).join("")}cases:\n${"  - { name: b, expect: { candidates: [] } }\n".repeat(400)}`,
  ],
])("tests with %s are refused in time", (_, tests) => {
  const rules = Array.from(
    { length: 20 },
    (__, n) =>
      `  - { when: { metadata.x: { matches: "[ab]{100}c${n}" } }, forbid: { region: { matches: "[a-z]{90}0${n}" } } }`,
  );
  const yaml = `constraints:\n${rules.join("\n")}\n`;
  const start = performance.now();
  const { faults } = checkDocument(OFFLINE, yaml, tests);
  // Each took minutes before its work was bounded.
  expect(performance.now() - start).toBeLessThan(15_000);
  expect(faults.map(({ code }) => code)).toContain("too_large");
});

test("patterns that would cost a request too much together are refused, though each is small", () => {
  const rules = (most: number) =>
    Array.from(
      { length: most },
      (_, n) => `  - { route: a, when: { metadata.x: { matches: "[a-z]{100}c${n}" } } }`,
    ).join("\n");
  expect(errors(`rules:\n${rules(40)}`)).toEqual([]);
  expect(errors(`rules:\n${rules(120)}`)).toMatchObject([{ code: "too_large" }]);
});
