import type { Arm, Learned, Tally } from "../../core/learning.ts";
import { random } from "../random.ts";

export type { Learned } from "../../core/learning.ts";

/** What became of one request, as far as somebody said or showed. */
export interface Lesson {
  group: string;
  task: string;
  /** 0–1. */
  reward: number;
  /** How much it is believed, 0–1: an explicit thumb 1, what we only observed less. */
  weight: number;
}

/** A mean and how many observations it is worth: a Beta distribution. */
export interface Estimate {
  mean: number;
  strength: number;
}

export const NOTHING_LEARNED: Learned = Object.freeze({ version: 0, arms: {} });

/** Observations that a belief about a model is worth, and that the model's own mean is worth within one task. */
const BELIEF = 10;
const SHRINK = 20;
/** What an observation is still worth after each later one of the same model: models change. */
const DECAY = 0.998;
/** Rewards may lie this far below what was expected, and this far in all, before the past is mostly forgotten. */
const SLACK = 0.08;
const ALARM = 10;
const KEPT = 10;
/** Groups that one organization's state may hold. */
const MOST_ARMS = 200;

/** Adds what was learned; returns a new state, one version on. */
export function fold(state: Learned, lessons: readonly Lesson[]): Learned {
  const arms = structuredClone(state.arms);
  for (const { group, task, reward, weight } of lessons) {
    if (!Object.hasOwn(arms, group) && Object.keys(arms).length >= MOST_ARMS) continue;
    const arm = Object.hasOwn(arms, group) ? arms[group] : undefined;
    const here = arm ?? { all: { good: 0, bad: 0 }, tasks: {}, drift: 0 };
    arms[group] = here;
    const seen = here.all.good + here.all.bad;
    if (seen >= 2 * KEPT) {
      const expected = here.all.good / seen;
      here.drift = Math.max(0, here.drift + weight * (expected - reward - SLACK));
    }
    const tally = here.tasks[task] ?? { good: 0, bad: 0 };
    here.tasks[task] = tally;
    for (const each of [here.all, tally]) {
      each.good = each.good * DECAY ** weight + weight * reward;
      each.bad = each.bad * DECAY ** weight + weight * (1 - reward);
    }
    if (here.drift > ALARM) {
      here.drift = 0;
      for (const each of [here.all, ...Object.values(here.tasks)]) shrink(each);
    }
  }
  return { version: state.version + 1, arms };
}

function shrink(tally: Tally): void {
  const seen = tally.good + tally.bad;
  if (seen <= KEPT) return;
  tally.good *= KEPT / seen;
  tally.bad *= KEPT / seen;
}

/** A model before anybody judged it: a chance by its tier or price, and what its family was seen to reach. */
export interface Prior {
  belief: number;
  record?: Pick<Arm, "all" | "tasks">;
}

/**
 * What a group is expected to reach at a task: the organization's record of it there, drawn to its record at everything,
 * that to the record of the model's family, and that to what is believed by tier and price.
 */
export function estimate(
  state: Learned,
  { group, task, belief, record }: Prior & { group: string; task: string },
): Estimate {
  const arm = Object.hasOwn(state.arms, group) ? state.arms[group] : undefined;
  const family = towards({ mean: belief, strength: BELIEF }, record?.all);
  const all = towards(family, arm?.all);
  const here = { mean: all.mean, strength: Math.min(SHRINK, all.strength) };
  return towards(towards(here, record?.tasks[task]), arm?.tasks[task]);
}

function towards({ mean, strength }: Estimate, tally: Tally | undefined): Estimate {
  if (tally === undefined) return { mean, strength };
  const seen = tally.good + tally.bad;
  return { mean: (mean * strength + tally.good) / (strength + seen), strength: strength + seen };
}

/** One group that could be drawn, and what it is worth to the choice beyond its chance to solve. */
export interface Drawable {
  group: string;
  estimate: Estimate;
}

export interface Drawn {
  group: string;
  /** Chance with which this group was drawn, given the seed's samples: for judging other policies from the log. */
  propensity: number;
  /** Not the group that looks best. */
  explored: boolean;
}

const SAMPLES = 24;

/**
 * Thompson sampling, held to a share: mostly the group that looks best, and for `share` of requests a group by the chance
 * that it is best, estimated with seeded samples. The seed alone decides; it is recorded for replay. `preferred` takes the
 * place of what looks best, where price has a say too.
 */
export function draw(
  options: readonly Drawable[],
  seed: number,
  share: number,
  preferred?: string,
): Drawn | null {
  const [first] = options;
  if (first === undefined) return null;
  const best =
    options.find(({ group }) => group === preferred) ??
    options.reduce((a, b) => (b.estimate.mean > a.estimate.mean ? b : a), first);
  const dice = random(seed);
  const luck = dice();
  const wins = new Map<string, number>();
  if (share > 0) {
    for (let turn = 0; turn < SAMPLES; turn++) {
      let top = first;
      let most = Number.NEGATIVE_INFINITY;
      for (const each of options) {
        const sampled = sample(each.estimate, dice);
        if (sampled > most) [top, most] = [each, sampled];
      }
      wins.set(top.group, (wins.get(top.group) ?? 0) + 1 / SAMPLES);
    }
  }
  const chance = (group: string) =>
    (group === best.group ? 1 - share : 0) + share * (wins.get(group) ?? 0);
  let left = luck;
  for (const { group } of options) {
    left -= chance(group);
    if (left < 0) return { group, propensity: chance(group), explored: group !== best.group };
  }
  return { group: best.group, propensity: chance(best.group), explored: false };
}

/** A Beta sample by its mean and variance: close enough for a choice, and cheap. */
function sample({ mean, strength }: Estimate, dice: () => number): number {
  const deviation = Math.sqrt((mean * (1 - mean)) / (strength + 1));
  return mean + deviation * (dice() + dice() + dice() + dice() - 2) * Math.sqrt(3);
}
