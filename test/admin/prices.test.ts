import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dollarsPerToken, nanoPerThousand } from "../../worker/admin/prices.ts";

describe("nanoPerThousand", () => {
  it("reads prices as people and machines write them", () => {
    expect(nanoPerThousand(2.5e-6)).toBe(2_500_000);
    expect(nanoPerThousand("0.0000025")).toBe(2_500_000);
    expect(nanoPerThousand(1.5e-7)).toBe(150_000);
    expect(nanoPerThousand(3.0000000000000004e-7)).toBe(300_000);
    expect(nanoPerThousand("1")).toBe(1_000_000_000_000);
    expect(nanoPerThousand(0)).toBe(0);
    expect(nanoPerThousand("5e-13")).toBe(1);
    expect(nanoPerThousand("1e-99")).toBe(1);
    for (const bad of [
      "",
      ".",
      "-1",
      "abc",
      "1e",
      "NaN",
      "Infinity",
      "0x10",
      "1,5",
      "1e999",
      1e9,
      -2e-6,
    ]) {
      expect(nanoPerThousand(bad), String(bad)).toBeNull();
    }
  });

  it("is exact for every price of whole nano-dollars, as a JSON number and as text, there and back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000_000_000 }), (nano) => {
        const text = `${nano}e-12`;
        expect(nanoPerThousand(text)).toBe(nano);
        expect(nanoPerThousand(Number(text))).toBe(nano);
        expect(nanoPerThousand(JSON.parse(JSON.stringify({ p: dollarsPerToken(nano) })).p)).toBe(
          nano,
        );
      }),
      { numRuns: 2000 },
    );
  });
});
