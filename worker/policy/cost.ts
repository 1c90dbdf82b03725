import type { SignalValue } from "../core/policy.ts";
import { leavesOf, type Predicate, type Tree } from "./condition.ts";
import { readPattern } from "./pattern.ts";
import type { Plan } from "./plan.ts";

/** States of all patterns in a condition: a text costs at most as many steps for each of its characters. */
export function statesOf(tree: Tree<Predicate>): number {
  return leavesOf(tree).reduce((sum, predicate) => {
    if (predicate.is === "matches") return sum + readPattern(predicate.pattern).states;
    return "where" in predicate ? sum + statesOf(predicate.where) : sum;
  }, 0);
}

/** The same of a whole plan: of what it asks of requests, and of what its constraints ask of targets. */
export function statesOfPlan({ predicates, constraints }: Plan): {
  requests: number;
  targets: number;
} {
  const sum = (trees: Tree<Predicate>[]): number =>
    trees.reduce((all: number, each) => all + statesOf(each), 0);
  const entries = constraints.flatMap(({ require, forbid }) => [...require, ...forbid]);
  return { requests: sum(predicates), targets: sum(entries.map(({ test }) => test)) };
}

/** Characters of the texts in a value. */
export function charactersOf(value: SignalValue): number {
  if (typeof value === "string") return value.length;
  return Array.isArray(value)
    ? value.reduce((sum: number, each: string) => sum + each.length, 0)
    : 0;
}
