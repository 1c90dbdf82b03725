import { expect, it } from "vitest";
import { foldOf, labelled, outcomes, PAIRS, PERTURBATIONS } from "../../../scripts/smart/data.ts";
import { judge, judgeCategories, lengthScore } from "../../../scripts/smart/judge.ts";
import { fitModel, see } from "../../../scripts/smart/model.ts";
import { classify, classifyWith } from "../../../worker/routing/smart/classify.ts";
import { unpackModel } from "../../../worker/routing/smart/model.ts";
import { plainPrompt } from "../../../worker/routing/smart/prompt.ts";
import { describeWithData } from "../../support/data.ts";

describeWithData("the classifier on rows that its weights never saw", "routing", () => {
  it("ranks a whole unseen area of MMLU and unseen tasks better than their length does", () => {
    const { rows } = outcomes();
    const seen = rows.map((row) => ({ row, seen: see(row.prompt) }));
    for (const [pair, unseen] of [
      [PAIRS[0]!, (fold: string) => fold === "mmlu/humanities"],
      [PAIRS[1]!, (fold: string) => fold.startsWith("ulab/")],
    ] as const) {
      const held = rows.filter((row) => unseen(foldOf(row)));
      const model = unpackModel(
        fitModel(
          seen.filter(({ row }) => !unseen(foldOf(row))),
          [],
          "held out",
          "need",
        ),
      );
      const score = (change: (prompt: string) => string) =>
        judge(
          held,
          held.map((row) => classifyWith(model, plainPrompt(change(row.prompt))).need),
          pair,
        ).apgr;
      const plain = score((prompt) => prompt);
      const length = judge(
        held,
        held.map((row) => lengthScore(row.prompt)),
        pair,
      ).apgr;
      expect(plain).toBeGreaterThan(length + 0.04);
      for (const change of Object.values(PERTURBATIONS)) {
        expect(score(change)).toBeGreaterThan(plain - 0.03);
      }
    }
  });

  it("names nine tasks out of ten as the data does", () => {
    const { rows } = labelled();
    const said = rows.map((row) => classify(plainPrompt(row.prompt)).task);
    const { accuracy, macroF1 } = judgeCategories(
      rows.map((row) => row.category),
      said,
    );
    expect(accuracy).toBeGreaterThan(0.85);
    expect(macroF1).toBeGreaterThan(0.85);
  });
});
