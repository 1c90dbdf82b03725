import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Deployment } from "../../worker/core/model.ts";
import { UNKNOWN } from "../../worker/routing/health.ts";
import { ordered } from "../../worker/routing/order.ts";

const shuffled = (candidates: Deployment[], seed: number): Deployment[] =>
  ordered(
    candidates.map((each) => ({ deployment: each, standing: UNKNOWN, estimate: null })),
    "simple_shuffle",
    { seed, affinity: null },
  ).map((each) => each.deployment);

const deployment = (id: string, weight: number, order = 0): Deployment => ({
  id,
  group: "g",
  provider: "openai",
  model: "m",
  protocol: "openai-chat",
  baseUrl: "https://api.openai.com/v1",
  weight,
  order,
  tags: [],
  facts: { capabilities: {} },
});

const anyCandidates = fc
  .uniqueArray(fc.record({ id: fc.string(), weight: fc.nat(5), order: fc.nat(2) }), {
    selector: (each) => each.id,
    maxLength: 8,
  })
  .map((rows) => rows.map((row) => deployment(row.id, row.weight, row.order)));

describe("the shuffle", () => {
  it("keeps every candidate once, tiers in order, and is the same for the same seed however they are listed", () => {
    fc.assert(
      fc.property(anyCandidates, fc.nat(), (candidates, seed) => {
        const plan = shuffled(candidates, seed);
        expect(plan.map((each) => each.id).toSorted()).toEqual(
          candidates.map((each) => each.id).toSorted(),
        );
        expect(plan.map((each) => each.order)).toEqual(
          plan.map((each) => each.order).toSorted((a, b) => a - b),
        );
        expect(shuffled(candidates.toReversed(), seed)).toEqual(plan);
      }),
    );
  });

  it("draws the first by weight, and one of weight 0 only behind the others", () => {
    const candidates = [deployment("a", 3), deployment("b", 1), deployment("never", 0)];
    const first = { a: 0, b: 0, never: 0 };
    for (let seed = 0; seed < 20_000; seed++) {
      const id = shuffled(candidates, seed)[0]?.id as keyof typeof first;
      first[id]++;
    }
    expect(first.never).toBe(0);
    expect(first.a / 20_000).toBeCloseTo(0.75, 1);
  });
});
