import type { AutoRouter } from "../../core/auto-router.ts";
import { windowOf } from "../smart/features.ts";
import { embed, wordsOf } from "./embedding.ts";

/** The best of a router's routes for a text, whether it reaches its threshold or not. */
export interface Match {
  route: string | null;
  /** 0–1. */
  score: number;
}

interface Prepared {
  rarity: (feature: number) => number;
  /** The route of each example, and by feature the examples that hold it with the feature's weight in each. */
  routeOf: number[];
  holders: ReadonlyMap<number, { examples: number[]; weights: number[] }>;
  words: ReadonlyMap<string, number[]>;
  totals: number[];
}

/** Sentences of a long prompt that are looked at by themselves, from each end. */
const SENTENCES = 12;

const prepared = new WeakMap<AutoRouter, Prepared>();

/** Finds the route that a text belongs to; `route` is null where none reaches its threshold. Pure. */
export function matchRoute(router: AutoRouter, text: string): Match {
  const ready = prepared.get(router) ?? prepare(router);
  prepared.set(router, ready);
  const read = windowOf(text);
  const scores =
    router.mode === "classifier" ? byClass(router, ready, read) : byNearest(router, ready, read);
  let route: string | null = null;
  let best = 0;
  let most = 0;
  for (const [at, score] of scores.entries()) {
    most = Math.max(most, score);
    const each = router.routes[at];
    // The first of equals wins: the order of the routes is the administrator's.
    if (each === undefined || score < each.threshold || score <= best) continue;
    best = score;
    route = each.name;
  }
  return { route, score: route === null ? most : best };
}

function prepare({ routes }: AutoRouter): Prepared {
  const texts = routes.flatMap(({ utterances, description }, route) =>
    [...utterances, description]
      .filter((text) => text.trim() !== "")
      .map((text) => ({ route, text })),
  );
  const spread = new Map<number, Set<number>>();
  for (const { route, text } of texts) {
    for (const feature of embed(text).keys()) {
      spread.set(feature, (spread.get(feature) ?? new Set()).add(route));
    }
  }
  // What stands in every route's examples tells nothing; what stands in none is as telling as what stands in one.
  const rarity = (feature: number) =>
    Math.log(1 + routes.length / (spread.get(feature)?.size ?? 1)) / Math.log(1 + routes.length);
  const holders = new Map<number, { examples: number[]; weights: number[] }>();
  for (const [example, { text }] of texts.entries()) {
    for (const [feature, weight] of embed(text, rarity)) {
      const held = holders.get(feature) ?? { examples: [], weights: [] };
      holders.set(feature, held);
      held.examples.push(example);
      held.weights.push(weight);
    }
  }
  const words = new Map<string, number[]>();
  const totals = routes.map(() => 0);
  for (const { route, text } of texts) {
    for (const word of wordsOf(text)) {
      const counts = words.get(word) ?? routes.map(() => 0);
      words.set(word, counts);
      counts[route] = (counts[route] ?? 0) + 1;
      totals[route] = (totals[route] ?? 0) + 1;
    }
  }
  return {
    rarity,
    routeOf: texts.map(({ route }) => route),
    holders,
    words,
    totals,
  };
}

/** By route, the cosine of its example that lies nearest to the text or to one of its sentences. */
function byNearest(
  { routes }: AutoRouter,
  { routeOf, holders, rarity }: Prepared,
  text: string,
): number[] {
  const scores = routes.map(() => 0);
  const likeness = new Float64Array(routeOf.length);
  for (const part of partsOf(text)) {
    likeness.fill(0);
    for (const [feature, weight] of embed(part, rarity)) {
      const held = holders.get(feature);
      for (const [at, example] of held?.examples.entries() ?? []) {
        likeness[example] = (likeness[example] ?? 0) + weight * (held?.weights[at] ?? 0);
      }
    }
    for (const [example, route] of routeOf.entries()) {
      scores[route] = Math.max(scores[route] ?? 0, Math.min(1, likeness[example] ?? 0));
    }
  }
  return scores;
}

/**
 * By route, its chance by the words that the examples of each route hold (naive Bayes), times the share of the text's
 * words that any example holds: words that nobody wrote down speak for none.
 */
function byClass({ routes }: AutoRouter, { words, totals }: Prepared, text: string): number[] {
  const asked = [...new Set(wordsOf(text))];
  const known = asked.filter((word) => words.has(word));
  if (known.length === 0) return routes.map(() => 0);
  const logs = routes.map((_, route) =>
    known.reduce(
      (sum, word) =>
        sum +
        Math.log(((words.get(word)?.[route] ?? 0) + 0.5) / ((totals[route] ?? 0) + words.size / 2)),
      0,
    ),
  );
  const top = Math.max(...logs);
  const chances = logs.map((each) => Math.exp(each - top));
  const sum = chances.reduce((a, b) => a + b, 0);
  const covered = Math.sqrt(known.length / asked.length);
  return chances.map((each) => (each / sum) * covered);
}

/** A text as a whole, and the sentences at its two ends. */
function partsOf(text: string): string[] {
  const sentences = text.split(/[.!?\n]+/).filter((each) => each.trim() !== "");
  if (sentences.length < 2) return [text];
  const ends =
    sentences.length <= 2 * SENTENCES
      ? sentences
      : [...sentences.slice(0, SENTENCES), ...sentences.slice(-SENTENCES)];
  return [text, ...ends];
}
