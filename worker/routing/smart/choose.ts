import type { Deployment, ModelTier } from "../../core/model.ts";
import { MODEL_TIERS } from "../../core/model.ts";
import { costOf } from "../../core/money.ts";
import type { Scored } from "../../core/routing.ts";
import { NO_USAGE } from "../../core/usage.ts";
import type { Category } from "./categories.ts";
import type { Classification } from "./classify.ts";
import { reach, type Dial } from "./dial.ts";
import { hullOf, type Point } from "./hull.ts";
import type { Belief } from "./knowledge.ts";
import { estimate, NOTHING_LEARNED } from "./learn.ts";
import { rankOf } from "./rank.ts";

/** One model that can serve: a model group of the organization, or a model of the catalog. */
export interface Option {
  group: string;
  /** The deployment that it is judged by. */
  deployment: Deployment;
  belief: Belief;
  /** Milliseconds that it lately took, or null where nothing is known. Shown; a choice goes by what is usual. */
  latency: number | null;
}

/** What the choice is made for. */
export interface Wanted {
  said: Classification;
  dial: Dial;
  /** Tokens of the prompt, estimated, and those of them that the provider is likely to have cached. */
  promptTokens: number;
  cachedTokens: number;
  /** The caller's limit on the answer. */
  maxOutput?: number;
  /** 0–1, the same for the same conversation: places an unfamiliar prompt in the mix. */
  draw: number;
  /** What the organization has learned of a group at a task; absent = the belief alone. */
  learned?: (group: string, task: Category) => number | undefined;
}

export interface Choice {
  /** All groups, the chosen one first, then in the order in which they take over. */
  order: string[];
  scored: Scored[];
  /** 0–1, how far up the hull the prompt was put. */
  reach: number;
  reason: "need" | "mix" | "only";
}

/** Tokens that answers of a task have, before anybody has counted them. */
const USUAL_OUTPUT: Readonly<Record<Category, number>> = {
  knowledge: 250,
  math: 600,
  code: 800,
  reasoning: 500,
  reading: 200,
  summarize: 250,
  rewrite: 300,
  translate: 300,
  writing: 700,
  classify_extract: 80,
  chat: 100,
};
const THINKING = 3;

/** What a model of each tier is believed to solve of everyday prompts, and how wide a tier is. */
const TIER_QUALITY: Readonly<Record<ModelTier, number>> = {
  LIGHT: 0.55,
  STANDARD: 0.66,
  HEAVY: 0.77,
  REASONING: 0.85,
};
/** A model that is learned to reach less than this share of what was believed of it is no bargain at any price. */
const FALLEN = 0.6;
const TIER_WIDTH = 0.09;
/** The middle of the dial; and the top of a hull that is a luxury: its share of the gain, and of the price below. */
const EVEN = 5;
const LUXURY_GAIN = 0.1;
const LUXURY_PRICE = 2;
/** Milliseconds that models of a tier usually take: what a choice goes by, since it must be the same in every isolate. */
const TIER_LATENCY: Readonly<Record<ModelTier, number>> = {
  LIGHT: 600,
  STANDARD: 1200,
  HEAVY: 2500,
  REASONING: 5000,
};

/**
 * The order in which the options serve. On the price–quality hull of the models at hand the prompt's need for strength,
 * bent by the dial, picks the place; a prompt unlike anything known takes a place by chance, so that it is neither better
 * nor worse off than by a mix of the hull's models at the same price. Pure: the same input gives the same order.
 */
export function chooseAmong(options: readonly Option[], wanted: Wanted): Choice {
  const { said, dial, draw } = wanted;
  const scored = options.map((option) => score(option, wanted));
  const beliefs = new Map(options.map(({ group, belief }) => [group, belief]));
  const dearest = Math.max(1, ...scored.map(({ cost }) => cost ?? 0));
  const points = scored.map((each) => ({
    each,
    quality: each.quality,
    // A price that nobody knows is taken for the dearest: it is never chosen because it seems free.
    cost: dial.saves === "cost" ? (each.cost ?? dearest) : usualLatency(beliefs.get(each.group)),
  }));
  const standing = points.filter(({ quality }, at) => {
    const belief = options[at]?.belief;
    return belief === undefined || quality >= FALLEN * usualQuality(belief);
  });
  const hull = hullOf(
    (standing.length > 0 ? standing : points).toSorted((a, b) =>
      a.each.group < b.each.group ? -1 : 1,
    ),
  );
  for (const { each } of hull) each.onHull = true;
  const rank = rankIn(said, draw);
  const place = reach(rank, dial);
  const worthwhile = dial.quality <= EVEN ? withoutLuxury(hull) : hull;
  const first = worthwhile[placeOn(worthwhile, place)]?.each;
  if (first === undefined) return { order: [], scored, reach: place, reason: "only" };
  return {
    order: [first.group, ...takeOver(scored, first).map(({ group }) => group)],
    scored,
    reach: place,
    reason: hull.length < 2 ? "only" : said.unfamiliar ? "mix" : "need",
  };
}

/**
 * A prompt's rank among prompts. What is unfamiliar is drawn; where a rule has named its task all the same, that is worth
 * half of it.
 */
function rankIn({ unfamiliar, by, need }: Classification, draw: number): number {
  if (!unfamiliar) return rankOf(need);
  return by === "rule" ? (rankOf(need) + draw) / 2 : draw;
}

/**
 * The hull without its top, as long as that at least doubles the price of the point below it for less than a tenth of what
 * the hull gains: who does not ask for quality above all does not ask for that.
 */
function withoutLuxury<T extends Point>(hull: readonly T[]): readonly T[] {
  let end = hull.length;
  const range = (hull.at(-1)?.quality ?? 0) - (hull[0]?.quality ?? 0);
  for (; end > 2; end--) {
    const [below, top] = [hull[end - 2], hull[end - 1]];
    if (below === undefined || top === undefined) break;
    if (top.quality - below.quality >= LUXURY_GAIN * range) break;
    if (top.cost < LUXURY_PRICE * below.cost) break;
  }
  return hull.slice(0, end);
}

/** Which of the hull's points a place between its worst (0) and its best (1) belongs to: the nearest in quality. */
function placeOn(hull: readonly { quality: number }[], place: number): number {
  const low = hull[0]?.quality ?? 0;
  const high = hull.at(-1)?.quality ?? 0;
  const wanted = low + place * (high - low);
  let best = 0;
  for (let at = 1; at < hull.length; at++) {
    const before = hull[at - 1]?.quality ?? 0;
    if (wanted >= (before + (hull[at]?.quality ?? 0)) / 2) best = at;
  }
  return best;
}

/** Who takes over when the first fails: those at least as good, cheapest first, then the others, best first. */
function takeOver(scored: readonly Scored[], first: Scored): Scored[] {
  const cost = (each: Scored) => each.cost ?? Number.POSITIVE_INFINITY;
  const byName = (a: Scored, b: Scored) => (a.group < b.group ? -1 : 1);
  const others = scored.filter((each) => each !== first);
  const better = others.filter((each) => each.quality >= first.quality);
  const worse = others.filter((each) => each.quality < first.quality);
  return [
    ...better.toSorted((a, b) => cost(a) - cost(b) || b.quality - a.quality || byName(a, b)),
    ...worse.toSorted((a, b) => b.quality - a.quality || cost(a) - cost(b) || byName(a, b)),
  ];
}

/** The chance to solve an everyday prompt that a belief amounts to. */
export function usualQuality({ tier, strength }: Pick<Belief, "tier" | "strength">): number {
  return TIER_QUALITY[tier] + TIER_WIDTH * strength;
}

/** Milliseconds that a model usually takes, by its tier and whether it thinks first. */
export function usualLatency(belief: Pick<Belief, "tier" | "thinks"> | undefined): number {
  const { tier = "STANDARD", thinks = false } = belief ?? {};
  return TIER_LATENCY[tier] * (thinks ? THINKING : 1);
}

/** The same at one task, with what the model's family was seen to reach. */
function expected(belief: Belief, task: Category): number {
  const { record } = belief;
  const prior = { belief: usualQuality(belief), ...(record && { record }) };
  return estimate(NOTHING_LEARNED, { group: "", task, ...prior }).mean;
}

/** Quality, cost and latency of one option for one request. */
export function score(option: Option, wanted: Wanted): Scored {
  const { group, deployment, belief, latency } = option;
  const { said, learned } = wanted;
  return {
    group,
    deployment: deployment.id,
    tier: belief.tier,
    quality: learned?.(group, said.task) ?? expected(belief, said.task),
    cost: expectedCost(option, wanted),
    latency: latency ?? usualLatency(belief),
    onHull: false,
  };
}

/** Nano-dollars: the prompt with its cached prefix at the cache's price, and an answer of the task's usual length. */
function expectedCost({ belief }: Option, wanted: Wanted): number | null {
  const { said, promptTokens, cachedTokens, maxOutput } = wanted;
  if (belief.prices === null) return null;
  const usual = USUAL_OUTPUT[said.task] * (belief.thinks ? THINKING : 1);
  const cacheRead = Math.min(cachedTokens, promptTokens);
  return costOf(
    {
      ...NO_USAGE,
      input: promptTokens - cacheRead,
      cacheRead,
      output: Math.min(usual, maxOutput ?? usual),
    },
    belief.prices,
  );
}

/** The chance that an option solves this very prompt: its belief, moved by how hard the prompt seems for its tier. */
export function solves({ belief }: Option, { solves: by, unfamiliar }: Classification): number {
  if (unfamiliar) return usualQuality(belief);
  const tier = MODEL_TIERS.indexOf(belief.tier);
  const next = MODEL_TIERS[Math.min(MODEL_TIERS.length - 1, tier + 1)] ?? belief.tier;
  return by[belief.tier] + belief.strength * (by[next] - by[belief.tier]);
}
