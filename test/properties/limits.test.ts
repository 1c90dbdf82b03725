import fc from "fast-check";
import { expect, test } from "vitest";
import { spendKey } from "../../durable-objects/ledger-leases.ts";
import { running, STEPS as COMMON } from "../support/ledger-steps.ts";
import type { Running } from "../support/ledger-world.ts";
import { LedgerWorld } from "../support/ledger-world.ts";

/** ROUTERO_LIMITS_RUNS asks for more. */
const RUNS = Number(process.env["ROUTERO_LIMITS_RUNS"] ?? 300);

/**
 * Ends a request with its row; where an estimate came too early, which really comes after the longest request, the row takes
 * its place at once, since until then its hold would be free and charged besides.
 */
function end(world: LedgerWorld, request: Running, cost: number): void {
  world.settle(request, cost);
  if (!world.charges.has(request.requestId)) return;
  world.flush(request.isolate);
  world.deliver(world.flying.length - 1, false);
}

/** What may happen; less time passes in all than after which a lease that got lost is reclaimed. */
const STEPS = {
  ...COMMON,
  settle: (world: LedgerWorld, a: number, b: number) =>
    running(world, a, (request) => end(world, request, b % Math.ceil(request.max.cost * 1.5 + 1))),
  release: (world: LedgerWorld, a: number) =>
    running(world, a, (request) =>
      world.charges.has(request.requestId) ? end(world, request, 0) : world.release(request),
    ),
};
type Name = keyof typeof STEPS;
const names = Object.keys(STEPS) as Name[];
const often: Partial<Record<Name, number>> = {
  begin: 8,
  settle: 4,
  deliver: 8,
  answer: 8,
  deliverAll: 4,
};

const step = fc.record({
  what: fc.oneof(
    ...names.map((name) => ({ arbitrary: fc.constant(name), weight: often[name] ?? 1 })),
  ),
  a: fc.nat(10_000),
  b: fc.nat(10_000),
  /** Now and then the limit is another one. */
  limit: fc.option(fc.integer({ min: 0, max: 400 }), { freq: 12 }),
});

/** Steps by their names, with what chooses or counts and the limit from then on. */
const kept = (steps: [Name, number, number?][]) =>
  steps.map(([what, at, limit = null]) => ({ what, a: what === "begin" ? 0 : at, b: at, limit }));

/** What once went wrong when an answer came twice: it gave the running request's own hold back, or counted that double. */
const GIVEN_BACK = kept([
  ["begin", 4_002],
  ["deliver", 0],
  ["answer", 0],
  ["begin", 0],
  ["begin", 90],
  ["deliverAndKeep", 2_751, 61],
  ["deliverAll", 0],
  ["deliverAll", 0],
  ["reconcile", 0, 0],
]);
const COUNTED_DOUBLE = kept([
  ["begin", 915],
  ["deliver", 0],
  ["begin", 0],
  ["answer", 0],
  ["begin", 2_159],
  ["begin", 7_128],
  ["deliverAndKeep", 7_828],
  ["begin", 6_551],
  ["answer", 0],
  ["begin", 2_047],
  ["answer", 0],
  ["answer", 0],
  ["answer", 0],
  ["answer", 0],
  ["answer", 0],
  ["begin", 6_263],
  ["deliverAll", 0, 163],
  ["reconcile", 0],
]);

/** What stands against each scope in each window, overruns left out. */
function standing(world: LedgerWorld): Map<string, number> {
  return new Map(
    [...world.storage.spend.rows].map(([key, { row }]) => [
      key,
      row.settled.cost + row.outstanding.cost - row.overrun,
    ]),
  );
}

test("what is settled, lent and held never grows beyond the limit in force, whatever happens to isolates and messages", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -5_000_000, max: 5_000_000 }), { minLength: 1, maxLength: 3 }),
      fc.constantFrom(5_000, 60_000, 10_000_000),
      fc.integer({ min: 20, max: 400 }),
      fc.array(step, { minLength: 20, maxLength: 120 }),
      (skews, windowMs, first, steps) => {
        const world = new LedgerWorld(skews, windowMs);
        let limit = first;
        world.define(limit);
        let before = standing(world);
        for (const { what, a, b, limit: next } of steps) {
          if (next !== null) world.define((limit = next));
          STEPS[what](world, a, b);
          const after = standing(world);
          for (const [key, sum] of after) {
            expect(sum, `${what} ${key}`).toBeLessThanOrEqual(
              Math.max(limit, before.get(key) ?? 0),
            );
          }
          before = after;
        }
      },
    ),
    {
      numRuns: RUNS,
      examples: [
        [[0], 5_000, 20, GIVEN_BACK],
        [[0], 5_000, 20, COUNTED_DOUBLE],
      ],
    },
  );
});

test("what fits is served: with one isolate and no loss, requests are admitted until no other one fits", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 50, max: 400 }),
      fc.integer({ min: 1, max: 20 }),
      (limit, cost) => {
        const world = new LedgerWorld([0], 10_000_000);
        world.define(limit);
        const [isolate] = world.isolates;
        if (!isolate) expect.fail();
        for (let n = 0; n < limit; n++) {
          // The question, and where a limit is near the one for this request alone.
          for (let round = 0; round < 3; round++) {
            world.begin(isolate, 0, cost);
            world.deliverAll();
          }
          for (let [request] = world.running; request; [request] = world.running) {
            world.settle(request, Math.min(cost, request.max.cost));
          }
          world.flush(isolate);
          world.deliverAll();
          world.advance(1_500);
          world.idle(isolate);
          world.deliverAll();
        }
        const row = world.storage.spend.get(spendKey(world.allScopes[0]!, world.windowId()));
        expect(row?.settled.cost).toBeGreaterThan(limit - 2 * cost);
        expect(row?.settled.cost).toBeLessThanOrEqual(limit);
      },
    ),
    { numRuns: 20 },
  );
});
