import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CATEGORIES } from "../../../worker/routing/smart/categories.ts";
import {
  draw,
  estimate,
  fold,
  NOTHING_LEARNED,
  type Lesson,
} from "../../../worker/routing/smart/learn.ts";
import { outcomes } from "../../../scripts/smart/data.ts";
import { simulate } from "../../../scripts/smart/simulate.ts";
import { describeWithData } from "../../support/data.ts";

const lesson = (group: string, reward: number, task: Lesson["task"] = "code"): Lesson => ({
  group,
  task,
  reward,
  weight: 1,
});
const times = (count: number, each: Lesson) => Array.from({ length: count }, () => each);
const at = (state: typeof NOTHING_LEARNED, group: string, task: Lesson["task"] = "code") =>
  estimate(state, { group, task, belief: 0.6 });

describe("what is learned of a model", () => {
  it("begins as the belief, moves with evidence, and more in the task that gave it", () => {
    expect(at(NOTHING_LEARNED, "a").mean).toBeCloseTo(0.6);
    const state = fold(NOTHING_LEARNED, times(60, lesson("a", 0)));
    expect(at(state, "a", "code").mean).toBeLessThan(0.1);
    expect(at(state, "a", "math").mean).toBeGreaterThan(at(state, "a", "code").mean);
    expect(at(state, "a", "math").mean).toBeLessThan(0.6);
    expect(at(state, "b").mean).toBeCloseTo(0.6);
  });

  it("forgets most of the past when a model falls, and sees the fall within some dozen rewards", () => {
    let state = fold(NOTHING_LEARNED, times(500, lesson("a", 0.9)));
    expect(at(state, "a").mean).toBeGreaterThan(0.85);
    state = fold(state, times(40, lesson("a", 0.2)));
    expect(at(state, "a").mean).toBeLessThan(0.45);
  });

  it("is the same for the same lessons, does not touch the state before, and takes hostile names", () => {
    const anyLesson = fc.record({
      group: fc.oneof(fc.constantFrom("a", "__proto__", "constructor", "toString"), fc.string()),
      task: fc.constantFrom(...CATEGORIES),
      reward: fc.double({ min: 0, max: 1, noNaN: true }),
      weight: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(anyLesson, { maxLength: 50 }), (lessons) => {
        const before = fold(NOTHING_LEARNED, [lesson("a", 1)]);
        const kept = JSON.stringify(before);
        const state = fold(before, lessons);
        expect(JSON.stringify(before)).toBe(kept);
        expect(fold(before, lessons)).toEqual(state);
        for (const { group, task } of lessons) {
          const { mean, strength } = at(state, group, task);
          expect(mean).toBeGreaterThanOrEqual(0);
          expect(mean).toBeLessThanOrEqual(1);
          expect(Number.isFinite(strength)).toBe(true);
        }
      }),
    );
  });
});

describe("the draw", () => {
  const options = [
    { group: "good", estimate: { mean: 0.7, strength: 50 } },
    { group: "near", estimate: { mean: 0.66, strength: 20 } },
    { group: "bad", estimate: { mean: 0.2, strength: 200 } },
  ];

  it("explores no more than its share, among what could be best, and not at all with a share of 0", () => {
    const count = { good: 0, near: 0, bad: 0 };
    for (let seed = 0; seed < 4000; seed++) {
      const drawn = draw(options, seed, 0.05);
      count[drawn?.group as keyof typeof count]++;
      expect(draw(options, seed, 0)).toEqual({ group: "good", propensity: 1, explored: false });
    }
    expect(count.near + count.bad).toBeLessThan(4000 * 0.06);
    expect(count.near).toBeGreaterThan(20);
    expect(count.bad).toBeLessThan(5);
  });

  it("states the chance that it drew with: the inverse chances add up to every option's requests", () => {
    let weight = 0;
    const rounds = 20_000;
    for (let seed = 0; seed < rounds; seed++) {
      const drawn = draw(options, seed, 0.5);
      if (drawn?.group === "near") weight += 1 / drawn.propensity;
    }
    expect(weight / rounds).toBeGreaterThan(0.85);
    expect(weight / rounds).toBeLessThan(1.1);
  });
});

describeWithData("learning on prompts whose every model's reward is known", "routing", () => {
  it("comes to 0.98 of the best single model, also when a better one arrives or the best one halves", () => {
    const rows = outcomes().rows.filter(({ bench }) => bench === "ulab");
    const models = Object.keys(rows[0]?.scores ?? {});
    const best = "llama-3.1-nemotron-51b-instruct";
    const ratio = (live: string[], changes: Parameters<typeof simulate>[1]["changes"]) => {
      const { mean, bestSingle } = simulate(rows, {
        models: live,
        seed: 7,
        passes: 3,
        share: 0.05,
        ...(changes && { changes }),
      });
      return mean / bestSingle;
    };
    expect(ratio(models, [])).toBeGreaterThan(0.98);
    const without = models.filter((each) => each !== best);
    expect(ratio(without, [{ at: 3000, add: best }])).toBeGreaterThan(0.97);
    expect(ratio(models, [{ at: 4000, drop: best, to: 0.5 }])).toBeGreaterThan(0.97);
  });
});
