// Online learning on rows with every model's reward: the learner sees the prompt and the reward of what it picked.
import type { Category } from "../../worker/routing/smart/categories.ts";
import { classify } from "../../worker/routing/smart/classify.ts";
import { usualQuality } from "../../worker/routing/smart/choose.ts";
import {
  draw,
  estimate,
  fold,
  NOTHING_LEARNED,
  type Learned,
  type Lesson,
  type Prior,
} from "../../worker/routing/smart/learn.ts";
import { random } from "../../worker/routing/random.ts";
import { plainPrompt } from "../../worker/routing/smart/prompt.ts";
import type { FamilyRecord } from "../../worker/routing/smart/evidence.ts";
import { believed, type Outcome } from "./data.ts";

/** A new model joins at a step, or one's rewards are multiplied from then on. */
export type Change = { at: number; add: string } | { at: number; drop: string; to: number };

export interface Run {
  /** Mean reward of the learner, of the best single model in hindsight, and of the best model per true task. */
  mean: number;
  bestSingle: number;
  bestPerTask: number;
  /** Regret against the best single model, at fifty points. */
  regret: number[];
}

/** Lessons are folded in batches of this many, as the object does it. */
const BATCH = 20;

export function simulate(
  rows: readonly Outcome[],
  options: {
    models: readonly string[];
    seed: number;
    passes: number;
    share: number;
    changes?: readonly Change[];
    /** What families were seen to reach on other rows; nothing unless given, since the shipped record holds these. */
    records?: readonly [prefix: string, record: FamilyRecord][];
  },
): Run {
  const dice = random(options.seed);
  const order: number[] = [];
  for (let pass = 0; pass < options.passes; pass++) {
    const round = rows.map((_, at) => at);
    for (let at = round.length - 1; at > 0; at--) {
      const other = Math.floor(dice() * (at + 1));
      [round[at], round[other]] = [round[other]!, round[at]!];
    }
    order.push(...round);
  }
  const tasks = rows.map((row) => classify(plainPrompt(row.prompt)).task);
  let live = [...options.models];
  const factor: Record<string, number> = {};
  const reward = (row: Outcome, model: string) => (row.scores[model] ?? 0) * (factor[model] ?? 1);
  const bestOf = (some: readonly Outcome[]) =>
    live.reduce((a, b) => (total(some, b) > total(some, a) ? b : a));
  const total = (some: readonly Outcome[], model: string) =>
    some.reduce((sum, row) => sum + reward(row, model), 0);
  const bySubject = Map.groupBy(rows, (row) => row.subject);
  let single = bestOf(rows);
  let perTask = new Map([...bySubject].map(([subject, some]) => [subject, bestOf(some)]));

  const priorOf = (model: string): Prior => {
    const record = options.records?.find(([prefix]) => model.startsWith(prefix))?.[1];
    return { belief: usualQuality(believed(model)), ...(record && { record }) };
  };
  let learned: Learned = NOTHING_LEARNED;
  let lessons: Lesson[] = [];
  const sums = { got: 0, single: 0, perTask: 0 };
  const regret: number[] = [];
  for (const [step, index] of order.entries()) {
    for (const change of options.changes ?? []) {
      if (change.at !== step) continue;
      if ("add" in change) live = [...live, change.add];
      else factor[change.drop] = change.to;
      single = bestOf(rows);
      perTask = new Map([...bySubject].map(([subject, some]) => [subject, bestOf(some)]));
    }
    const row = rows[index]!;
    const task: Category = tasks[index]!;
    const drawn = draw(
      live.map((group) => ({
        group,
        estimate: estimate(learned, { group, task, ...priorOf(group) }),
      })),
      Math.floor(dice() * 2 ** 32),
      options.share,
    );
    const group = drawn?.group ?? live[0]!;
    const got = reward(row, group);
    lessons.push({ group, task, reward: got, weight: 1 });
    if (lessons.length >= BATCH) {
      learned = fold(learned, lessons);
      lessons = [];
    }
    sums.got += got;
    sums.single += reward(row, single);
    sums.perTask += reward(row, perTask.get(row.subject) ?? single);
    if ((step + 1) % Math.ceil(order.length / 50) === 0) regret.push(sums.single - sums.got);
  }
  const count = order.length;
  return {
    mean: sums.got / count,
    bestSingle: sums.single / count,
    bestPerTask: sums.perTask / count,
    regret,
  };
}
