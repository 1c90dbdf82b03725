// From rows to heads: what `train.ts` fits once on everything and once for each fold that it holds out.
import { CATEGORIES, rule, UNRULED, type Category } from "../../worker/routing/smart/categories.ts";
import {
  BUCKETS,
  DENSE,
  DENSE_NAMES,
  scan,
  windowOf,
} from "../../worker/routing/smart/features.ts";
import { demandOf } from "../../worker/routing/smart/demands.ts";
import { fixedNeed, readFor } from "../../worker/routing/smart/fixed.ts";
import type { Packed, StoredHead, StoredModel } from "../../worker/routing/smart/model.ts";
import { wordBits } from "../../worker/routing/smart/model.ts";
import { lightScore, strongScore, type Labelled, type Outcome } from "./data.ts";
import { WORDING_BUCKETS, wordingOf } from "../../worker/routing/smart/wording.ts";
import { dot, platt, ridge, sparseRidge, sparseSoftmax, type Sparse } from "./fit.ts";
import { ownExamples } from "./own-examples.ts";

/**
 * What we believe of the need for a strong model before any row speaks, per feature (in standard deviations) and per
 * task: small models lag in code, mathematics and long reading, and hardly in trivia, small talk and rewording.
 */
const PRIOR: Record<string, number> = {
  // Length has its own part beside this head.
  length: 0,
  stemLength: 0.03,
  // A bare choice among figures leaves no room to compute: there the strong models fail too.
  numericOptions: -0.06,
  math: 0.02,
  computing: 0.02,
  thought: 0.01,
  negation: 0.01,
  because: 0.01,
  hedge: 0.01,
  craft: 0.03,
  trivia: -0.04,
};
const TASK_PRIOR: Record<Category, number> = {
  code: 0.25,
  math: 0.12,
  reading: 0.06,
  reasoning: 0.05,
  writing: 0.05,
  summarize: 0,
  classify_extract: -0.06,
  knowledge: -0.06,
  rewrite: -0.06,
  translate: -0.06,
  chat: -0.15,
};

/** How far the rows move the head from its priors: new kinds of prompts are served better by less than all of it. */
const BELIEVED = 0.8;
/** Strength of the priors, in rows of weight one, and of the ridge over hashed words. */
const STRENGTH = 6000;
const SOLVES_STRENGTH = 500;
const GRAM_STRENGTH = 100;
/** Confidence from which a guessed task is named, and from which its score (or that of talk) is as if a rule had named it. */
const SURE = { name: 0.2, act: 0.9, talk: 0.7 };
/** What a template of the data weighs beside a wording of our own, times the root of its rows. */
const OF_TEMPLATES = 0.4;
const TURNS = 30;
/** Share of unknown words above which a prompt is unfamiliar: few of the held-out rows are, other languages all. */
const UNFAMILIAR = 0.4;
const WORD_BITS = 1 << 17;

export interface Seen {
  dense: Float64Array;
  grams: Sparse;
  vocabulary: Int32Array;
  keywords: Uint16Array;
  ruled: Category | null;
  shift: number;
}

export function see(prompt: string): Seen {
  const text = windowOf(prompt);
  const ruled = rule(text);
  const read = readFor(prompt, ruled?.category ?? null);
  const seen = scan(read.text, read.length);
  const { dense, buckets, weights, grams, vocabulary, different, keywords } = seen;
  return {
    dense: Float64Array.from(dense),
    grams: { at: buckets.slice(0, grams), value: weights.slice(0, grams) },
    vocabulary: vocabulary.slice(0, different),
    keywords: keywords.slice(),
    ruled: ruled?.category ?? null,
    shift: (ruled?.shift ?? 0) + demandOf(text, seen),
  };
}

export interface Seeable<T> {
  row: T;
  seen: Seen;
}

/**
 * Fits a whole model. `rows` and `tasks` are what may be learned from; nothing else is looked at. With `heads: "need"` it
 * guesses no task, which takes a fraction of the time.
 */
export function fitModel(
  rows: readonly Seeable<Outcome>[],
  tasks: readonly Seeable<Omit<Labelled, "id">>[],
  version: string,
  heads: "all" | "need" = "all",
): StoredModel {
  const { means, scales } = spread([...rows, ...tasks].map(({ seen }) => seen.dense));
  const standard = ({ dense }: Seen) =>
    dense.map((each, at) => Math.max(-4, Math.min(4, (each - means[at]!) * scales[at]!)));
  const counts = new Map<string, number>();
  for (const { row } of rows) counts.set(row.subject, (counts.get(row.subject) ?? 0) + 1);
  const weights = rows.map(({ row }) => 10 / Math.sqrt(counts.get(row.subject) ?? 1));
  const inputs = rows.map(({ seen }) => {
    const input = new Float64Array(DENSE + CATEGORIES.length);
    input.set(standard(seen));
    input[DENSE + CATEGORIES.indexOf(seen.ruled ?? UNRULED)] = 1;
    return input;
  });
  const prior = new Float64Array(DENSE + CATEGORIES.length);
  for (const [at, name] of DENSE_NAMES.entries()) prior[at] = PRIOR[name] ?? 0;
  for (const [at, name] of CATEGORIES.entries()) prior[DENSE + at] = TASK_PRIOR[name];
  const flat = new Float64Array(prior.length);

  const light = rows.map(({ row }) => lightScore(row));
  const strong = rows.map(({ row }) => strongScore(row));
  // Half the gain of the strong model, half the failure of the light one: either alone carries over worse.
  const wanted = rows.map((_, at) => 0.5 * (strong[at]! - light[at]!) + 0.5 * (1 - light[at]!));
  const need = ridge(inputs, wanted, weights, STRENGTH, prior);
  const rest = inputs.map((input, at) => wanted[at]! - dot(input, need));
  const grams = sparseRidge(
    rows.map(({ seen }) => seen.grams),
    rest,
    weights,
    GRAM_STRENGTH,
    BUCKETS,
  );
  const held = need.map((each, at) => prior[at]! + BELIEVED * (each - prior[at]!));
  const raw = rows.map(
    ({ seen }, at) =>
      dot(inputs[at]!, held) +
      sparseDot(seen.grams, grams) +
      fixedNeed(seen, seen.ruled) +
      seen.shift,
  );
  const better = rows.map((_, at) => (strong[at]! > light[at]! + 0.25 ? 1 : 0));
  const calibration = platt(raw, better, weights);
  const chances = raw
    .map((each) => 1 / (1 + Math.exp(-(calibration.slope * each + calibration.intercept))))
    .toSorted((a, b) => a - b);
  const quantile = (share: number) =>
    round(chances[Math.min(chances.length - 1, Math.floor(share * chances.length))] ?? 0);

  return {
    version,
    means: [...means].map(round),
    scales: [...scales].map(round),
    need: store(held, grams),
    light: store(ridge(inputs, light, weights, SOLVES_STRENGTH, flat)),
    heavy: store(ridge(inputs, strong, weights, SOLVES_STRENGTH, flat)),
    tasks:
      heads === "all"
        ? fitTasks(tasks)
        : pack(new Float64Array(CATEGORIES.length * WORDING_BUCKETS)),
    calibration: { slope: round(calibration.slope), intercept: round(calibration.intercept) },
    tiers: { light: quantile(0.4), standard: quantile(0.75), heavy: quantile(0.85) },
    ranks: Array.from({ length: 21 }, (_, at) => quantile(at / 20)),
    sure: SURE,
    ...known([...rows, ...tasks].map(({ seen }) => seen)),
  };
}

function fitTasks(tasks: readonly Seeable<Omit<Labelled, "id">>[]): Packed {
  const times = new Map<string, number>();
  const template = ({ source, label }: Omit<Labelled, "id">) => `${source} ${label}`;
  for (const { row } of tasks) times.set(template(row), (times.get(template(row)) ?? 0) + 1);
  const examples = [
    ...ownExamples(),
    ...tasks.map(({ row }) => ({
      category: row.category,
      prompt: row.prompt,
      weight: OF_TEMPLATES / Math.sqrt(times.get(template(row)) ?? 1),
    })),
  ];
  const inputs = examples.map(({ prompt }): Sparse => {
    const text = windowOf(prompt);
    const { buckets, values, count } = wordingOf(text, scan(text, prompt.length));
    return { at: buckets.slice(0, count), value: values.slice(0, count) };
  });
  const weights = sparseSoftmax(
    inputs,
    examples.map(({ category }) => CATEGORIES.indexOf(category as Category)),
    examples.map(({ weight }) => weight),
    { count: CATEGORIES.length, size: WORDING_BUCKETS, turns: TURNS },
  );
  return pack(Float64Array.from(weights.flatMap((each) => [...each])));
}

function spread(inputs: readonly Float64Array[]) {
  const means = new Float64Array(DENSE);
  const scales = new Float64Array(DENSE);
  for (const input of inputs) for (const [at, each] of input.entries()) means[at]! += each;
  for (let at = 0; at < DENSE; at++) means[at]! /= inputs.length;
  for (const input of inputs) {
    for (const [at, each] of input.entries()) scales[at]! += (each - means[at]!) ** 2;
  }
  for (let at = 0; at < DENSE; at++) {
    const deviation = Math.sqrt(scales[at]! / inputs.length);
    scales[at] = deviation > 1e-6 ? 1 / deviation : 0;
  }
  means[0] = 0;
  scales[0] = 1;
  return { means, scales };
}

/** Bits of the words that stand in two prompts or more. */
function known(all: readonly Seen[]): Pick<StoredModel, "words" | "unfamiliar"> {
  const times = new Map<number, number>();
  for (const { vocabulary } of all) {
    for (const hash of vocabulary) times.set(hash, (times.get(hash) ?? 0) + 1);
  }
  const bits = new Uint8Array(WORD_BITS / 8);
  for (const [hash, count] of times) {
    if (count < 2) continue;
    for (const bit of wordBits(hash, WORD_BITS)) bits[bit >>> 3]! |= 1 << (bit & 7);
  }
  return { words: Buffer.from(bits).toString("base64"), unfamiliar: UNFAMILIAR };
}

function sparseDot({ at, value }: Sparse, weights: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < at.length; index++) sum += value[index]! * weights[at[index]!]!;
  return sum;
}

function store(weights: Float64Array, grams?: Float64Array): StoredHead {
  return {
    bias: 0,
    dense: pack(weights.slice(0, DENSE)),
    categories: pack(
      weights.length > DENSE ? weights.slice(DENSE) : new Float64Array(CATEGORIES.length),
    ),
    ...(grams && { grams: pack(grams) }),
  };
}

function pack(weights: Float64Array): Packed {
  const most = weights.reduce((top, each) => Math.max(top, Math.abs(each)), 0);
  const scale = most > 0 ? most / 127 : 1;
  const int8 = Int8Array.from(weights, (each) => Math.round(each / scale));
  return { scale: round(scale), int8: Buffer.from(int8.buffer).toString("base64") };
}

function round(value: number): number {
  return Number(value.toPrecision(6));
}
