import { describe, expect, it } from "vitest";
import { score, usualQuality } from "../../../worker/routing/smart/choose.ts";
import { classify } from "../../../worker/routing/smart/classify.ts";
import { familyRecords } from "../../../worker/routing/smart/evidence.ts";
import { beliefOf } from "../../../worker/routing/smart/knowledge.ts";
import { estimate, fold, NOTHING_LEARNED } from "../../../worker/routing/smart/learn.ts";
import { plainPrompt } from "../../../worker/routing/smart/prompt.ts";
import { evidenceFrom } from "../../../scripts/smart/evidence.ts";
import { bareDeployment as deployment, outcomes } from "../../../scripts/smart/data.ts";
import { simulate } from "../../../scripts/smart/simulate.ts";
import { describeWithData } from "../../support/data.ts";

describe("what a family was seen to reach", () => {
  const record = familyRecords({ a: { all: [900, 100], tasks: { code: [10, 990] } } })[0]![1];
  const at = (state: typeof NOTHING_LEARNED, task: string) =>
    estimate(state, { group: "a", task, belief: 0.6, record }).mean;

  it("stands between the organization's record and the belief, and yields to the first", () => {
    // The belief is worth 10, the family at most 30 in all and 10 within a task.
    expect(at(NOTHING_LEARNED, "chat")).toBeCloseTo((0.6 * 10 + 27) / 40);
    expect(at(NOTHING_LEARNED, "code")).toBeLessThan(at(NOTHING_LEARNED, "chat"));
    const bad = Array.from({ length: 150 }, () => ({
      group: "a",
      task: "chat",
      reward: 0,
      weight: 1,
    }));
    expect(at(fold(NOTHING_LEARNED, bad), "chat")).toBeLessThan(0.15);
  });

  it("counts where the organization gave no tier of its own, whoever serves the model", () => {
    const known = beliefOf(deployment("mistral/mistral-7b-instruct-v0.3"));
    const told = beliefOf(deployment("mistral-7b-instruct-v0.3", { tier: "HEAVY" }));
    const newer = beliefOf(deployment("mistral-small-latest"));
    expect(known.record).toBeDefined();
    expect([told.record, newer.record]).toEqual([undefined, undefined]);
    const said = classify(plainPrompt("Write a Python function that reverses a list."));
    const wanted = {
      said,
      dial: { quality: 5, saves: "cost" as const },
      promptTokens: 10,
      cachedTokens: 0,
      draw: 0,
    };
    const quality = (belief: typeof known) =>
      score({ group: "x", deployment: deployment("x"), belief, latency: null }, wanted).quality;
    // Without anything learned the choice itself reckons with it.
    expect(quality(known)).toBeLessThan(usualQuality(known) - 0.05);
    expect(quality(newer)).toBeCloseTo(usualQuality(newer));
  });
});

describeWithData("the record of families, counted on one half of the rows", "routing", () => {
  it("makes the first 300 requests of the other half earn more than the belief alone", () => {
    const rows = outcomes().rows.filter(({ bench }) => bench === "ulab");
    const models = Object.keys(rows[0]!.scores);
    let [without, within] = [0, 0];
    for (const half of [0, 1]) {
      const records = familyRecords(evidenceFrom(rows.filter((_, at) => at % 2 === half)));
      const others = rows.filter((_, at) => at % 2 !== half).filter((_, at) => at % 4 === 0);
      for (let seed = 1; seed <= 6; seed++) {
        const run = { models, seed, passes: 1, share: 0.05 };
        without += simulate(others, run).mean / 12;
        within += simulate(others, { ...run, records }).mean / 12;
      }
    }
    expect(within - without).toBeGreaterThan(0.01);
  });
});
