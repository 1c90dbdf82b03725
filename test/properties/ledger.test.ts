import fc from "fast-check";
import { expect, test } from "vitest";
import { standing } from "../../durable-objects/ledger-leases.ts";
import { scopeKey } from "../../worker/core/scope.ts";
import { covers, isNothing, NOTHING, plus } from "../../worker/core/amount.ts";
import type { Amount } from "../../worker/core/amount.ts";
import {
  claimsOf,
  estimatedOf,
  expectedOf,
  isNegative,
  totalOf,
} from "../support/ledger-claims.ts";
import { pick, running, STEPS as COMMON } from "../support/ledger-steps.ts";
import { LedgerWorld } from "../support/ledger-world.ts";

/** ROUTERO_LEDGER_RUNS asks for more. */
const RUNS = Number(process.env["ROUTERO_LEDGER_RUNS"] ?? 400);

type Step = { what: keyof typeof STEPS; a: number; b: number };

/** What may happen: all that is common, and what only this test does. */
const STEPS = {
  ...COMMON,
  settle: (world: LedgerWorld, a: number, b: number) =>
    running(world, a, (request) =>
      // Up to half more than its worst case: a provider that bills above its own bound.
      world.settle(request, b % Math.ceil(request.max.cost * 1.5)),
    ),
  settleAgain: (world: LedgerWorld, a: number, b: number) => {
    const request = pick(world.ended, a);
    if (request) world.settleAgain(request, b % 50);
  },
  nap: (world: LedgerWorld) => {
    world.advance(2_500);
    for (const isolate of world.isolates) world.idle(isolate);
  },
  advanceFar: (world: LedgerWorld, a: number) => world.advance((a * 10_007) % 700_000),
  alarm: (world: LedgerWorld) => void world.book.tick(world.now),
  redefine: (world: LedgerWorld) => world.define(),
};

const weights: [keyof typeof STEPS, number][] = [
  ["begin", 8],
  ["raise", 2],
  ["settle", 5],
  ["settleAgain", 1],
  ["release", 1],
  ["flush", 3],
  ["deliver", 8],
  ["deliverAndKeep", 2],
  ["deliverAll", 4],
  ["drop", 1],
  ["answer", 8],
  ["loseAnswer", 1],
  ["idle", 1],
  ["nap", 2],
  ["advance", 3],
  ["advanceFar", 1],
  ["alarm", 2],
  ["redefine", 1],
  ["cut", 1],
  ["crash", 1],
  ["reconcile", 2],
];

const step: fc.Arbitrary<Step> = fc.record({
  what: fc.oneof(...weights.map(([what, weight]) => ({ arbitrary: fc.constant(what), weight }))),
  a: fc.nat(10_000),
  b: fc.nat(10_000),
});

const skews = fc.array(fc.integer({ min: -5_000_000, max: 5_000_000 }), {
  minLength: 1,
  maxLength: 3,
});

function explore(
  check: (world: LedgerWorld) => void,
  atEnd: (world: LedgerWorld) => void = () => undefined,
  without: (keyof typeof STEPS)[] = [],
): void {
  fc.assert(
    fc.property(
      skews,
      fc.constantFrom(5_000, 60_000, 10_000_000),
      fc.array(step, { minLength: 10, maxLength: 120 }),
      (skews, windowMs, steps) => {
        const world = new LedgerWorld(skews, windowMs);
        for (const { what, a, b } of steps) {
          if (without.includes(what)) continue;
          STEPS[what](world, a, b);
          check(world);
        }
        world.quiesce();
        check(world);
        atEnd(world);
      },
    ),
    { numRuns: RUNS },
  );
}

test("every request is debited once to each of its scopes, in the window that admitted it", () => {
  explore((world) => {
    const expected = expectedOf(world);
    for (const [key, { row }] of world.storage.spend.rows) {
      expect([key, row.settled]).toEqual([key, expected.get(key) ?? NOTHING]);
      expected.delete(key);
    }
    expect(expected).toEqual(new Map());
  });
});

test("after everything ended, the sums are those of the requests that reached a provider", () => {
  explore(
    () => undefined,
    (world) => {
      for (const { memory } of world.isolates) expect(memory.queue.size).toBe(0);
      const standing = [...world.charges.values()].filter(({ real }) => !real);
      const estimated = standing.reduce((sum, { amount }) => plus(sum, amount), NOTHING as Amount);
      const [team] = world.allScopes;
      if (team) expect(totalOf(world, team, "estimated")).toEqual(estimated);
    },
  );
});

test("no lease is ever spent beyond what the ledger has it lent for, and none is negative", () => {
  explore((world) => {
    for (const { row } of world.storage.leases.rows.values()) {
      expect(isNegative(row.left) || isNegative(row.estimated)).toBe(false);
      expect(covers(row.lent, row.left)).toBe(true);
      expect(row.estimated).toEqual(estimatedOf(world, row.leaseId));
    }
    for (const [leaseId, claim] of claimsOf(world)) {
      const lease = world.storage.leases.get(leaseId);
      expect(lease).not.toBeNull();
      if (lease) expect(covers(lease.left, claim)).toBe(true);
    }
  });
});

test("nothing is admitted after its lease or window, returned twice, or reclaimed while it runs", () => {
  explore((world) => {
    expect(world.breaches).toEqual([]);
    for (const { leases } of world.running) {
      for (const { leaseId } of leases) {
        expect(world.storage.leases.get(leaseId)?.reclaimed).toBe(false);
      }
    }
  });
});

test("what stands against a scope is the sum of its leases, in every window", () => {
  explore((world) => {
    for (const place of ["outstanding", "unattributed"] as const) {
      const sums = new Map<string, Amount>();
      for (const { row } of world.storage.leases.rows.values()) {
        if (row.reclaimed !== (place === "unattributed")) continue;
        const key = `${row.windowId} ${scopeKey(row.scope)}`;
        sums.set(key, plus(sums.get(key) ?? NOTHING, standing(row)));
      }
      for (const [key, { row }] of world.storage.spend.rows) {
        expect(row[place]).toEqual(sums.get(key) ?? NOTHING);
      }
    }
  });
});

test("only what the dead and the cut held is left over, and it is reclaimed as unattributed", () => {
  explore(
    () => undefined,
    (world) => {
      for (const { row } of world.storage.leases.rows.values()) {
        if (!world.isOwed(row)) expect(row.left).toEqual(NOTHING);
      }
      world.advance(20 * 60_000);
      while (world.book.tick(world.now));
      for (const scope of world.allScopes) {
        expect(isNothing(totalOf(world, scope, "outstanding"))).toBe(true);
      }
      for (const { row } of world.storage.leases.rows.values()) {
        if (!isNothing(row.left)) expect(world.isOwed(row)).toBe(true);
      }
    },
  );
});

test("without crashes and cuts nothing is left over", () => {
  explore(
    () => undefined,
    (world) => {
      for (const scope of world.allScopes) {
        expect(totalOf(world, scope, "outstanding")).toEqual(NOTHING);
      }
    },
    ["crash", "cut"],
  );
});

test("the outbox tells each charge once, under ids of its own, and its differences add up", () => {
  explore(
    () => undefined,
    (world) => {
      const ids = new Set<string>();
      const sums = new Map<string, number>();
      for (const item of world.storage.items) {
        if (item.kind === "debit") expect.fail("nothing here is held that spans teams");
        if (item.kind === "spent") continue;
        const { eventId } = item.kind === "usage" ? item.event : item.record;
        expect(eventId).toMatch(/^evt_[0-9A-Za-z]{22}$/);
        expect(ids).not.toContain(eventId);
        ids.add(eventId);
        if (item.kind === "usage") {
          const { requestId } = item.event.row;
          sums.set(requestId, (sums.get(requestId) ?? 0) + item.event.delta.cost);
        }
      }
      expect(sums).toEqual(
        new Map([...world.charges].map(([id, { amount }]) => [id, amount.cost])),
      );
    },
  );
});
