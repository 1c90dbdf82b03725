import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PatternFault, readPattern } from "../../worker/policy/pattern.ts";

const atom = fc.constantFrom(
  "a",
  "b",
  "ab",
  ".",
  "[ab]",
  "[^a]",
  "\\d",
  "\\w",
  "\\b",
  "^",
  "$",
  "\\.",
  "[a-c1-3]",
  "-",
);
const pattern = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    atom,
    fc.tuple(tie("node"), tie("node")).map(([a, b]) => a + b),
    fc.tuple(tie("node"), tie("node")).map(([a, b]) => `(${a}|${b})`),
    fc
      .tuple(tie("node"), fc.constantFrom("*", "+", "?", "{2}", "{1,3}", "{0,}"))
      .map(([a, q]) => `(?:${a})${q}`),
  ),
})).node;
const text = fc.string({
  unit: fc.constantFrom("a", "b", "c", "1", ".", "-", " ", "\n"),
  maxLength: 12,
});

describe("patterns", () => {
  test("occur where a backtracking engine finds them", () => {
    fc.assert(
      fc.property(pattern, text, fc.boolean(), (source, input, fold) => {
        const expected = new RegExp(source, fold ? "i" : "").test(input);
        expect(readPattern((fold ? "(?i)" : "") + source).occursIn(input)).toBe(expected);
      }),
      { numRuns: Number(process.env["FC_RUNS"] ?? 3000) },
    );
  });

  test("take a number of steps that grows with the text alone", () => {
    // A backtracking engine needs 2^40 steps for the first of these.
    for (const source of ["^(a+)+$", "(a|aa)*b", "(.*a){20}$", "(a?){50}a{50}"]) {
      const subject = readPattern(source);
      expect(subject.occursIn(`${"a".repeat(5_000)}!`)).toBe(source === "(a?){50}a{50}");
    }
  });

  test.each([
    ["(a)\\1", "back references"],
    ["(?=a)b", "look-around"],
    ["(?<n>a)", "look-around"],
    ["(a", "never closed"],
    ["a)", "closes nothing"],
    ["[a", "never closed"],
    ["*a", "needs something before it"],
    ["a{200}", "at most"],
    ["((a{100}){100}){100}", "states"],
    ["\\q", "means nothing"],
    ["[z-a]", "backwards"],
    ["a".repeat(501), "at most 500"],
  ])("refuse %s", (source, why) => {
    expect(() => readPattern(source)).toThrow(PatternFault);
    expect(() => readPattern(source)).toThrow(why);
  });
});
