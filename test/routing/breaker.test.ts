import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BreakerRules, Cell } from "../../worker/core/health.ts";
import { errorRate, newCell, stateOf, take, type Outcome } from "../../worker/routing/breaker.ts";

const RULES: BreakerRules = { allowedFails: 3, cooldown: 60_000, enabled: true };
const after = (cell: Cell, faults: Outcome["fault"][], at = 1_000_000, rules = RULES) => {
  for (const fault of faults) take(cell, { fault, latency: 50, tokens: 10 }, rules, at);
  return cell;
};

describe("a breaker", () => {
  it("opens at the third failure in a row, and not for faults of callers, filters and windows", () => {
    const now = 1_000_000;
    expect(stateOf(after(newCell(), ["transient", "timeout"]), now)).toBe("closed");
    expect(stateOf(after(newCell(), ["transient", "timeout", "connection"]), now)).toBe("open");
    expect(stateOf(after(newCell(), ["transient", "timeout", null, "connection"]), now)).toBe(
      "closed",
    );
    const blameless = [
      "caller",
      "missing",
      "content_filter",
      "context_window",
      "incoherent",
      "cancelled",
    ] as const;
    for (const fault of blameless) {
      expect(stateOf(after(newCell(), Array(12).fill(fault)), now), fault).toBe("closed");
    }
  });

  it("opens at once for a refused credential, and never where cooldowns are off", () => {
    const now = 1_000_000;
    const cell = after(newCell(), ["deployment"]);
    expect([stateOf(cell, now + 59_999), stateOf(cell, now + 60_000)]).toEqual(["open", "due"]);
    const off = after(
      newCell(),
      ["deployment", "transient", "transient", "transient", "rate_limit"],
      now,
      {
        ...RULES,
        enabled: false,
      },
    );
    expect(stateOf(off, now)).toBe("closed");
  });

  it("rests longer each time a probe fails, up to the cooldown, and begins anew once one worked", () => {
    let now = 1_000_000;
    const cell = after(newCell(), ["transient", "transient", "transient"], now);
    const rests: number[] = [];
    for (let n = 0; n < 6; n++) {
      rests.push((cell.openUntil ?? 0) - now);
      now = cell.openUntil ?? 0;
      expect(stateOf(cell, now)).toBe("due");
      after(cell, ["transient"], now);
    }
    expect(rests).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
    after(cell, [null], now + 60_000);
    expect(stateOf(cell, now + 60_000)).toBe("closed");
    after(cell, ["transient", "transient", "transient"], now + 60_000);
    expect((cell.openUntil ?? 0) - now - 60_000).toBe(5_000);
  });

  it("pauses a limited deployment for as long as its provider asked, and needs no probe after", () => {
    const cell = newCell();
    take(
      cell,
      { fault: "rate_limit", latency: null, tokens: 0, retryAfter: 7_000 },
      RULES,
      1_000_000,
    );
    expect([stateOf(cell, 1_006_999), stateOf(cell, 1_007_000)]).toEqual(["open", "closed"]);
    expect(cell.fails).toBe(0);
  });

  it("opens when most of many attempts fail, though never three in a row", () => {
    const cell = newCell();
    const pattern = Array.from({ length: 30 }, (_, n) =>
      n % 3 === 0 ? null : "transient",
    ) as Outcome["fault"][];
    after(cell, pattern);
    expect(stateOf(cell, 1_000_000)).toBe("open");
  });

  it("tells an error rate between 0 and 1 and forgets what is a minute old, whatever happens", () => {
    const faults = fc.constantFrom<Outcome["fault"]>(
      null,
      "transient",
      "timeout",
      "rate_limit",
      "caller",
      "cancelled",
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(faults, fc.nat(20_000)), { maxLength: 60 }), (steps) => {
        const cell = newCell();
        let now = 1_000_000;
        for (const [fault, passed] of steps) {
          now += passed;
          take(cell, { fault, latency: 1, tokens: 1 }, RULES, now);
          const rate = errorRate(cell, now);
          expect(rate).toBeGreaterThanOrEqual(0);
          expect(rate).toBeLessThanOrEqual(1);
          expect(cell.buckets.length).toBeLessThanOrEqual(6);
          expect(cell.latencies.length).toBeLessThanOrEqual(32);
        }
        expect(errorRate(cell, now + 70_000)).toBe(0);
      }),
    );
  });
});
