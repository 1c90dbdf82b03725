import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPeriodic, Trim, type TrimOptions } from "../../../worker/routing/continuation/trim.ts";

const RUNS = { numRuns: Number(process.env["PROPERTY_RUNS"] ?? 300) };

const NATIVE: TrimOptions = { instructed: false, echoes: false };
const ASKED: TrimOptions = { instructed: true, echoes: false };

/** Every word occurs once, so that what is repeated can only be a repetition. */
const words = (min: number, max: number) =>
  fc
    .array(fc.tuple(fc.constantFrom("ab", "Qu", "é", "大", "🙂", "x-"), fc.nat(9)), {
      minLength: min,
      maxLength: max,
    })
    .map((list) => list.map(([stem, digit], i) => `${stem}${i}${"~".repeat(digit % 3)}`));

const spaces = fc.constantFrom(" ", "\n", "\n\n", "  ");

/** An answer of unlike words, and where it was cut. */
const cutAnswer = (min = 2, max = 160) =>
  fc
    .tuple(words(min, max), fc.array(spaces, { minLength: 1, maxLength: 5 }))
    .chain(([list, gaps]) => {
      const whole = list
        .map((word, i) => word + (gaps[i % gaps.length] ?? " "))
        .join("")
        .trimEnd();
      return fc.record({
        whole: fc.constant(whole),
        cut: fc.integer({ min: 1, max: whole.length - 1 }),
      });
    });

const chunking = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 });

function pieces(text: string, sizes: readonly number[]): string[] {
  const out: string[] = [];
  for (let at = 0, i = 0; at < text.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    out.push(text.slice(at, at + size));
    at += size;
  }
  return out;
}

/** What reaches the caller of `said`, coming in these pieces; null = nothing of it may. */
function trimmed(delivered: string, said: string, sizes: readonly number[], options: TrimOptions) {
  const trim = new Trim(delivered, options);
  let out = "";
  for (const piece of pieces(said, sizes)) out += trim.push(piece);
  out += trim.end();
  return trim.incoherent ? null : out;
}

describe("where the new text goes on from the delivered one", () => {
  it("passes an exact continuation whole, native or asked for, wherever the cut was", () => {
    fc.assert(
      fc.property(cutAnswer(), chunking, ({ whole, cut }, sizes) => {
        const delivered = whole.slice(0, cut);
        const rest = whole.slice(cut);
        // A beginning of one letter can't be told from a repetition.
        fc.pre(!rest.startsWith(delivered.trimEnd()));
        expect(trimmed(delivered, rest, sizes, ASKED)).toBe(rest);
        // A native target got it without the white space, and says that again.
        const space = delivered.slice(delivered.trimEnd().length);
        expect(trimmed(delivered, space + rest, sizes, NATIVE)).toBe(rest);
      }),
      RUNS,
    );
  });

  it("drops an echo of everything, however long", () => {
    fc.assert(
      fc.property(cutAnswer(2, 2_000), chunking, fc.boolean(), ({ whole, cut }, sizes, echoes) => {
        const delivered = whole.slice(0, cut);
        for (const options of [{ ...NATIVE, echoes }, ASKED]) {
          expect(trimmed(delivered, whole, sizes, options)).toBe(whole.slice(cut));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("takes an echo that stops where the cut was for the end of the answer", () => {
    fc.assert(
      fc.property(cutAnswer(), chunking, ({ whole, cut }, sizes) => {
        const delivered = whole.slice(0, cut);
        expect((trimmed(delivered, delivered.trimEnd(), sizes, NATIVE) ?? "x").trim()).toBe("");
      }),
      RUNS,
    );
  });

  it("lets nothing through of an answer that begins alike and then differs", () => {
    fc.assert(
      fc.property(cutAnswer(30), chunking, fc.boolean(), ({ whole, cut }, sizes, instructed) => {
        fc.pre(cut > 80);
        const delivered = whole.slice(0, cut);
        const other = `${delivered.slice(0, Math.max(32, Math.floor(cut / 2)))}# rather something else`;
        expect(trimmed(delivered, other, sizes, { instructed, echoes: false })).toBeNull();
      }),
      RUNS,
    );
  });

  it("drops the last words that a target repeats when it is asked, from eight characters on", () => {
    fc.assert(
      fc.property(
        cutAnswer(4),
        fc.integer({ min: 8, max: 39 }),
        chunking,
        ({ whole, cut }, again, sizes) => {
          const delivered = whole.slice(0, cut);
          fc.pre(delivered.length > again + 1 && !isPeriodic(delivered.slice(-again)));
          const said = delivered.slice(-again) + whole.slice(cut);
          fc.pre(!said.startsWith(delivered.slice(0, 8)));
          expect(trimmed(delivered, said, sizes, ASKED)).toBe(whole.slice(cut));
        },
      ),
      RUNS,
    );
  });

  it("drops a preface that is followed by the end of what was delivered", () => {
    fc.assert(
      fc.property(cutAnswer(20), chunking, fc.boolean(), ({ whole, cut }, sizes, instructed) => {
        const delivered = whole.slice(0, cut);
        fc.pre(delivered.trimEnd().length >= 40);
        const said = `Sure, continuing: ${delivered.slice(-45)}${whole.slice(cut)}`;
        expect(trimmed(delivered, said, sizes, { instructed, echoes: false })).toBe(
          whole.slice(cut),
        );
      }),
      RUNS,
    );
  });

  it("keeps what is rightly said over and over", () => {
    const laugh = "ha ".repeat(60).trimEnd();
    for (let cut = 3; cut < laugh.length; cut++) {
      const delivered = laugh.slice(0, cut);
      const rest = laugh.slice(cut);
      if (rest.startsWith(delivered.trimEnd())) continue;
      const space = delivered.slice(delivered.trimEnd().length);
      expect(delivered + String(trimmed(delivered, space + rest, [5], NATIVE))).toBe(laugh);
      if (rest.startsWith(" "))
        expect(delivered + String(trimmed(delivered, rest, [5], ASKED))).toBe(laugh);
    }
  });

  it("holds back no more than it may, and decides when it has to", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 6_000 }),
        fc.string({ maxLength: 200 }),
        (delivered, more) => {
          const trim = new Trim(delivered, ASKED);
          let said = 0;
          let passed = 0;
          for (const piece of pieces(delivered + more, [7])) {
            said += piece.length;
            passed += trim.push(piece).length;
            const bound = Math.min(delivered.length + 64, 4096) + 7;
            if (trim.holding) expect(said - passed).toBeLessThanOrEqual(bound);
          }
          trim.force();
          expect(trim.holding).toBe(false);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("passes what it holds when the wait is over, unless the target is known to echo", () => {
    const waiting = new Trim("one two three four", NATIVE);
    expect(waiting.push("one two")).toBe("");
    expect(waiting.force()).toBe("one two");
    const echoing = new Trim("one two three four", { instructed: false, echoes: true });
    expect(echoing.push("one two")).toBe("");
    expect(echoing.force()).toBe("");
    expect(echoing.push(" three four five")).toBe(" five");
  });

  it("sends on a preface that nothing tells from the answer", () => {
    expect(trimmed("one two", "Sure, continuing: three", [4], ASKED)).toBe(
      "Sure, continuing: three",
    );
  });
});

describe("what is made of one repeated piece", () => {
  it.each([
    ["ha ha ha", true],
    ["abab", true],
    ["aba", false],
    ["one two three", false],
    ["........", true],
    ["ha ha ha!", false],
  ])("%s: %s", (text, expected) => expect(isPeriodic(text)).toBe(expected));
});
