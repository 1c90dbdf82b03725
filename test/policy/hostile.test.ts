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
