import { MODEL_TIERS, type ModelTier } from "../../core/model.ts";
import { CATEGORIES, rule, UNRULED, type Category } from "./categories.ts";
import { demandOf } from "./demands.ts";
import { fixedNeed, readFor } from "./fixed.ts";
import { isForeign } from "./language.ts";
import { DENSE, scan, windowOf, type Features } from "./features.ts";
import type { Prompt } from "./prompt.ts";
import { knowsWord, type Head, type Model } from "./model.ts";
import { model as shipped } from "./shipped.ts";
import { WORDING_BUCKETS, wordingOf } from "./wording.ts";

/** How strong a model a prompt asks for, in rising order. */
export const TIERS = MODEL_TIERS;
export type Tier = ModelTier;

/** What the classifier says of a prompt. */
export interface Classification {
  task: Category;
  difficulty: Tier;
  /** 0–1: chance that a strong model does better here than a light one. */
  need: number;
  /** 0–1: how sure the task is. */
  confidence: number;
  /** Another language, or words that the weights never saw: do not act on `need` alone. */
  unfamiliar: boolean;
  /** Share of words that the weights have never seen. */
  unknown: number;
  /** Chance that a model of each tier solves it; rises from tier to tier. */
  solves: Record<Tier, number>;
  /** What named the task: one of our rules, or the learned head. */
  by: "rule" | "model" | "default";
}

/** Which task a prompt is, how hard, and how much a strong model would help. Pure; well under a millisecond. */
export function classify(prompt: Prompt): Classification {
  return classifyWith(shipped, prompt);
}

/** The same by other weights, as training does to judge what it held out. */
export function classifyWith(model: Model, prompt: Prompt): Classification {
  const text = windowOf(prompt.text);
  const ruled = rule(text);
  let read = readFor(prompt.text, ruled?.category ?? null);
  let seen = scan(read.text, read.length);
  const foreign = isForeign(seen);
  // Of other languages the head has read next to nothing, and nothing is said without a word.
  const readable = !foreign && seen.letters > 0;
  const guessed = ruled === null && readable ? guess(model, text, seen) : null;
  const task = ruled?.category ?? guessed?.category ?? UNRULED;
  // A guess names the request; what moves its score has to be surer.
  const { act, talk } = model.sure;
  const believed =
    guessed !== null && guessed.confidence >= (guessed.category === "chat" ? talk : act);
  const acted = ruled?.category ?? (believed ? guessed.category : null);
  if (believed) {
    read = readFor(prompt.text, acted);
    if (read.text !== text) seen = scan(read.text, read.length);
  }
  const category = CATEGORIES.indexOf(acted ?? UNRULED);

  const unknown = unknownShare(model, seen);
  const raw =
    score(model, model.need, seen, category) +
    fixedNeed(seen, acted) +
    (ruled?.shift ?? 0) +
    demandOf(text, seen) +
    aroundIt(prompt);
  const need = logistic(model.calibration.slope * raw + model.calibration.intercept);
  const light = share(score(model, model.light, seen, category));
  const heavy = Math.max(light, share(score(model, model.heavy, seen, category)));
  return {
    task,
    difficulty: tierOf(model, prompt, task, need),
    need,
    confidence: ruled?.confidence ?? guessed?.confidence ?? 0.4,
    unknown,
    unfamiliar: foreign
      ? ruled?.category !== "chat"
      : acted !== "chat" && unknown > model.unfamiliar && text.trim().length > 12,
    solves: {
      LIGHT: light,
      STANDARD: (light + heavy) / 2,
      HEAVY: heavy,
      REASONING: share(heavy + (DELIBERATE.has(task) ? 0.3 : 0.05) * (1 - heavy)),
    },
    by: ruled !== null ? "rule" : guessed !== null ? "model" : "default",
  };
}

/** Tasks where thinking longer helps. */
const DELIBERATE: ReadonlySet<Category> = new Set<Category>(["math", "reasoning", "code"]);

function tierOf(model: Model, prompt: Prompt, task: Category, need: number): Tier {
  const { light, standard, heavy } = model.tiers;
  if (prompt.deep) return "REASONING";
  let tier: number = need < light ? 0 : need < standard ? 1 : 2;
  if (need >= heavy && (task === "math" || task === "reasoning")) return "REASONING";
  if (tier === 0 && (prompt.tools > 0 || prompt.contextLength > 24_000)) tier = 1;
  return TIERS[tier] ?? "HEAVY";
}

/** What the request around the prompt adds to the need, by hand: long contexts and many tools are harder to use. */
function aroundIt(prompt: Prompt): number {
  const beyond = Math.max(0, prompt.contextLength - prompt.text.length);
  return (
    Math.min(0.08, 0.01 * Math.log2(1 + beyond / 2000)) +
    Math.min(0.06, 0.015 * prompt.tools) +
    (prompt.deep ? 0.1 : 0) +
    (prompt.structured ? 0.01 : 0)
  );
}

function score(model: Model, head: Head, seen: Features, category: number): number {
  let sum = head.bias + (head.categories[category] ?? 0);
  const { dense, buckets, weights, grams } = seen;
  for (let at = 0; at < DENSE; at++) {
    const value = ((dense[at] ?? 0) - (model.means[at] ?? 0)) * (model.scales[at] ?? 0);
    sum += (head.dense[at] ?? 0) * Math.max(-4, Math.min(4, value));
  }
  if (head.grams !== null) {
    for (let at = 0; at < grams; at++) {
      sum += (weights[at] ?? 0) * (head.grams[buckets[at] ?? 0] ?? 0);
    }
  }
  return sum;
}

/** The learned guess where no rule spoke, if it is sure enough. */
function guess(model: Model, text: string, seen: Features) {
  const { buckets, values, count } = wordingOf(text, seen);
  const logits = CATEGORIES.map((_, category) => {
    const from = category * WORDING_BUCKETS;
    let sum = 0;
    for (let at = 0; at < count; at++) {
      sum += (values[at] ?? 0) * (model.tasks[from + (buckets[at] ?? 0)] ?? 0);
    }
    return sum;
  });
  const top = Math.max(...logits);
  let total = 0;
  for (const each of logits) total += Math.exp(each - top);
  const confidence = 1 / total;
  const category = CATEGORIES[logits.indexOf(top)];
  return category === undefined || confidence < model.sure.name ? null : { category, confidence };
}

/** The share of a prompt's words that the training data never held; 1 where there are no words. */
function unknownShare(model: Model, seen: Features): number {
  if (seen.different === 0) return 1;
  let unknown = 0;
  for (let at = 0; at < seen.different; at++) {
    if (!knowsWord(model, seen.vocabulary[at] ?? 0)) unknown++;
  }
  return unknown / seen.different;
}

function share(value: number): number {
  return Math.max(0.02, Math.min(0.98, value));
}

function logistic(value: number): number {
  return 1 / (1 + Math.exp(-value));
}
