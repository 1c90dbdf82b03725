import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { costOf, nanoUsd, usdText } from "../../worker/core/money.ts";
import { NO_USAGE, type TokenUsage } from "../../worker/core/usage.ts";

const classes = Object.keys(NO_USAGE).filter(
  (name) => name !== "estimated",
) as (keyof TokenUsage)[];

describe("cost", () => {
  it("charges each token class at its own price and falls back to the class it is part of", () => {
    const prices = {
      input: 3_000_000,
      output: 15_000_000,
      cacheRead: 300_000,
      cacheWrite: 3_750_000,
    };
    const usage = {
      ...NO_USAGE,
      input: 10,
      cacheRead: 1000,
      cacheWrite: 100,
      cacheWriteLong: 1,
      output: 7,
      reasoning: 5,
    };
    expect(costOf(usage, prices)).toBe(
      10 * 3000 + 1000 * 300 + 100 * 3750 + 1 * 3750 + 12 * 15_000,
    );
  });

  it("is whole, never below the exact sum, never a nano-dollar above it, at any size", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(2_000_000), { minLength: classes.length, maxLength: classes.length }),
        fc.nat(100_000_000),
        (counts, price) => {
          const usage = {
            ...NO_USAGE,
            ...Object.fromEntries(classes.map((name, i) => [name, counts[i] ?? 0])),
          };
          const exact = counts.reduce((sum, count) => sum + BigInt(count) * BigInt(price), 0n);
          const cost = costOf(usage, { input: price, output: price });
          expect(BigInt(cost)).toBe((exact + 999n) / 1000n);
        },
      ),
    );
  });
});

describe("money as text", () => {
  it.each([
    [0, "0"],
    [1, "0.000000001"],
    [1_000_000_000, "1"],
    [1_230_000, "0.00123"],
    [-5_500_000_000, "-5.5"],
  ])("%i nano-dollars are %s USD", (amount, text) => {
    expect(usdText(amount)).toBe(text);
  });

  it("reads back what it wrote", () => {
    fc.assert(
      fc.property(
        fc.nat(9_000_000_000_000),
        (amount) => nanoUsd(Number(usdText(amount))) === amount,
      ),
    );
  });
});
