/**
 * Trains and judges the smart router's classifier:
 *
 *     ROUTERO_TEST_DATA=… node scripts/smart/train.ts
 *
 * Writes worker/routing/smart/weights.ts (int8) and, beside it, weights.json: the data's hashes and the measures, each on
 * rows of areas and tasks that the judged weights never saw. The same data gives the same files.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { classifyWith } from "../../worker/routing/smart/classify.ts";
import { unpackModel, type StoredModel } from "../../worker/routing/smart/model.ts";
import { plainPrompt } from "../../worker/routing/smart/prompt.ts";
import {
  foldOf,
  labelled,
  mean,
  outcomes,
  PAIRS,
  PERTURBATIONS,
  type Outcome,
  type Pair,
} from "./data.ts";
import {
  judge,
  judgeCategories,
  keywordScore,
  lengthScore,
  qualityAt,
  shareAt,
  type Judged,
} from "./judge.ts";
import { random } from "../../worker/routing/random.ts";
import { fitModel, see, type Seeable } from "./model.ts";

const VERSION = "5";
const FILE = join(import.meta.dirname, "../../worker/routing/smart/weights.ts");
const three = (value: number) => Math.round(value * 1000) / 1000;

const { rows, sha256 } = outcomes();
const labels = labelled();
const seeAll = <T extends { prompt: string }>(list: readonly T[]): Seeable<T>[] =>
  list.map((row) => ({ row, seen: see(row.prompt) }));
const seenRows = seeAll(rows);
const seenLabels = seeAll(labels.rows);

// Every row is scored by weights that saw neither its area nor its task.
const folds = [...new Set(rows.map(foldOf))];
const heldOut = new Map<string, ReturnType<typeof unpackModel>>();
for (const fold of folds) {
  const inside = new Set(rows.filter((row) => foldOf(row) === fold).map((row) => row.subject));
  const stored = fitModel(
    seenRows.filter(({ row }) => foldOf(row) !== fold),
    seenLabels.filter(({ row }) => row.source === "t0" || !inside.has(row.label)),
    "held out",
    "need",
  );
  heldOut.set(fold, unpackModel(stored));
}
/** The score before calibration: the one scale on which rows that different weights judged can be compared. */
function scoreBy(model: ReturnType<typeof unpackModel>, prompt: string): number {
  const { need } = classifyWith(model, plainPrompt(prompt));
  const { slope, intercept } = model.calibration;
  return (Math.log(need / (1 - need)) - intercept) / slope;
}
const scoreAll = (change: (prompt: string) => string) =>
  rows.map((row) => scoreBy(heldOut.get(foldOf(row))!, change(row.prompt)));
const needs = rows.map(
  (row) => classifyWith(heldOut.get(foldOf(row))!, plainPrompt(row.prompt)).need,
);
const scores = scoreAll((prompt) => prompt);
const lengths = rows.map((row) => lengthScore(row.prompt));
const keywords = rows.map((row) => keywordScore(row.prompt));
const perturbed = Object.entries(PERTURBATIONS).map(
  ([name, change]) => [name, scoreAll(change)] as const,
);

/** The middle 95 % of the APGR over resampled rows. */
function interval(some: readonly Outcome[], list: readonly number[], pair: Pair): number[] {
  const dice = random(1);
  const all = Array.from({ length: 200 }, () => {
    const picked = some.map(() => Math.floor(dice() * some.length));
    return judge(
      picked.map((at) => some[at]!),
      picked.map((at) => list[at]!),
      pair,
    ).apgr;
  }).toSorted((a, b) => a - b);
  return [three(all[5]!), three(all[194]!)];
}

const slices = PAIRS.map((pair) => {
  const of = (list: readonly number[]) => list.filter((_, at) => rows[at]!.bench === pair.bench);
  const inside = rows.filter((row) => row.bench === pair.bench);
  const ours = judge(inside, of(scores), pair);
  const measure = (list: readonly number[]) => three(judge(inside, of(list), pair).apgr);
  const groups = [...new Set(inside.map(foldOf))].flatMap((group) => {
    const at = inside.flatMap((row, index) => (foldOf(row) === group ? [index] : []));
    const pick = (list: readonly number[]) => at.map((index) => of(list)[index]!);
    const some = at.map((index) => inside[index]!);
    const gap =
      some.reduce((sum, row) => sum + row.scores[pair.strong]! - row.scores[pair.weak]!, 0) /
      some.length;
    const apgr = (list: readonly number[]) => three(judge(some, pick(list), pair).apgr);
    // Where the strong model is the worse one, a greater APGR is a loss of quality.
    const worth = (list: readonly number[]) => Math.sign(gap) * judge(some, pick(list), pair).apgr;
    return {
      group,
      rows: at.length,
      gap: three(gap),
      interval95: interval(some, pick(scores), pair),
      smart: apgr(scores),
      length: apgr(lengths),
      keywords: apgr(keywords),
      /** Above the better of the two, in APGR; positive is better quality at the same share of strong calls. */
      above: three(worth(scores) - Math.max(worth(lengths), worth(keywords))),
    };
  });
  const full = (list: readonly number[]) => judge(inside, of(list), pair);
  const dice = random(1);
  const noise = rows.map(() => dice());
  const sorts = { smart: scores, length: lengths, keywords, random: noise };
  const each = <T>(measured: (judged: Judged) => T) =>
    Object.fromEntries(
      Object.entries(sorts).map(([name, list]) => [name, measured(full(list))]),
    ) as Record<keyof typeof sorts, T>;
  const [weakPrice, strongPrice] = pair.usd;
  const costAt95 = (judged: Judged) => {
    const share = shareAt(judged.shares, judged.quality, 0.95 * judged.quality.at(-1)!);
    return three((share * strongPrice + (1 - share) * weakPrice) / strongPrice);
  };
  return {
    slice: pair.name,
    interval95: interval(inside, of(scores), pair),
    costAt95: each(costAt95),
    curves: each((judged) =>
      Array.from({ length: 21 }, (_, at) => three(qualityAt(judged, at / 20))),
    ),
    rows: inside.length,
    apgr: three(ours.apgr),
    cpt50: three(ours.cpt50),
    cpt80: three(ours.cpt80),
    length: measure(lengths),
    keywords: measure(keywords),
    perturbed: Object.fromEntries(perturbed.map(([name, list]) => [name, measure(list)])),
    groups,
  };
});

// Groups of subjects and of tasks, held out together as a set of new subjects would be. The settings were chosen with
// sight of the first seed's draws; nobody had seen the second's.
const subjectOf = (row: Outcome) => `${row.bench} ${row.subject}`;
const DRAWS = 24;
const HELD = { mmlu: 10, ulab: 4 };
const newGroups = [7, 2026].flatMap((seed) => {
  const dealt = random(seed);
  const drawn = Array.from({ length: DRAWS }, () => {
    const group = new Set(
      Object.entries(HELD).flatMap(([bench, count]) => {
        const all = [...new Set(rows.filter((row) => row.bench === bench).map(subjectOf))];
        return all
          .map((name) => ({ name, place: dealt() }))
          .toSorted((a, b) => a.place - b.place)
          .slice(0, count)
          .map(({ name }) => name);
      }),
    );
    const inside = rows.flatMap((row, at) => (group.has(subjectOf(row)) ? [at] : []));
    const model = unpackModel(
      fitModel(
        seenRows.filter(({ row }) => !group.has(subjectOf(row))),
        seenLabels.filter(({ row }) => row.source === "t0"),
        "held out",
        "need",
      ),
    );
    const said = new Map(inside.map((at) => [at, scoreBy(model, rows[at]!.prompt)]));
    return PAIRS.map((pair) => {
      const some = inside.filter((at) => rows[at]!.bench === pair.bench);
      const held = some.map((at) => rows[at]!);
      const apgr = (of: (at: number) => number) => judge(held, some.map(of), pair).apgr;
      const smart = apgr((at) => said.get(at)!);
      const best = Math.max(
        apgr((at) => lengths[at]!),
        apgr((at) => keywords[at]!),
      );
      return { smart, above: smart - best };
    });
  });
  return PAIRS.map((pair, index) => {
    const all = drawn.map((each) => each[index]!);
    return {
      slice: pair.name,
      seed,
      draws: DRAWS,
      held: HELD[pair.bench as keyof typeof HELD],
      apgr: three(mean(all.map(({ smart }) => smart))),
      above: three(mean(all.map(({ above }) => above))),
      worst: three(Math.min(...all.map(({ above }) => above))),
      below: all.filter(({ above }) => above < -0.02).length,
    };
  });
});

// Tasks: eight folds of whole templates.
const templates = [...new Set(labels.rows.map((row) => `${row.source} ${row.label}`))];
const templateFold = (row: { source: string; label: string }) =>
  templates.indexOf(`${row.source} ${row.label}`) % 8;
const said: string[] = [];
for (let fold = 0; fold < 8; fold++) {
  const model = unpackModel(
    fitModel(
      seenRows.slice(0, 500),
      seenLabels.filter(({ row }) => templateFold(row) !== fold),
      "held out",
    ),
  );
  for (const [at, row] of labels.rows.entries()) {
    if (templateFold(row) === fold) said[at] = classifyWith(model, plainPrompt(row.prompt)).task;
  }
}
const truth = labels.rows.map((row) => row.category);
const { accuracy, macroF1, f1 } = judgeCategories(truth, said);

const stored: StoredModel = fitModel(seenRows, seenLabels, VERSION);
writeFileSync(
  FILE,
  `// Written by scripts/smart/train.ts; weights.json beside it tells from what, and how good they are.
import type { StoredModel } from "./model.ts";

export const WEIGHTS: StoredModel = ${JSON.stringify(stored)};
`,
);

// How far the stated chance lies from what happened, in ten equal shares of the held-out rows.
const gaps = rows.map((row, at) => {
  const pair = PAIRS.find((each) => each.bench === row.bench)!;
  return {
    need: needs[at]!,
    better: row.scores[pair.strong]! > row.scores[pair.weak]! + 0.25 ? 1 : 0,
  };
});
const sorted = gaps.toSorted((a, b) => a.need - b.need);
let calibrationError = 0;
for (let part = 0; part < 10; part++) {
  const some = sorted.slice((part * sorted.length) / 10, ((part + 1) * sorted.length) / 10);
  const off = some.reduce((sum, each) => sum + each.need - each.better, 0);
  calibrationError += Math.abs(off) / sorted.length;
}
const strange = rows
  .map((row) => classifyWith(heldOut.get(foldOf(row))!, plainPrompt(row.prompt)).unknown)
  .toSorted((a, b) => a - b);

const report = {
  version: VERSION,
  data: { "dev.jsonl.gz": sha256, "category-dev.jsonl.gz": labels.sha256 },
  bytes: JSON.stringify(stored).length,
  slices,
  newGroups,
  tasks: {
    rows: truth.length,
    accuracy: three(accuracy),
    macroF1: three(macroF1),
    f1: Object.fromEntries(Object.entries(f1).map(([name, value]) => [name, three(value)])),
  },
  calibrationError: three(calibrationError),
  unknownWords: {
    median: three(strange[strange.length >> 1]!),
    p99: three(strange[Math.floor(strange.length * 0.99)]!),
    beyond: three(strange.filter((each) => each > stored.unfamiliar).length / rows.length),
  },
};
writeFileSync(FILE.replace(/\.ts$/, ".json"), `${JSON.stringify(report, null, 2)}\n`);
console.log(JSON.stringify(report, null, 1));
