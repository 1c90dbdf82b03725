import type { Reasoning } from "../core/chat.ts";

export type Effort = NonNullable<Reasoning["effort"]>;

/** Thinking tokens that an effort stands for where a model takes a budget. */
const BUDGETS: Readonly<Record<Exclude<Effort, "none">, number>> = {
  minimal: 1024,
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 32_768,
  max: 65_536,
};

/** An effort by its name; undefined for what is none. */
export function effortNamed(name: string | undefined): Effort | undefined {
  return name === "none" || (name !== undefined && Object.hasOwn(BUDGETS, name))
    ? (name as Effort)
    : undefined;
}

/** The effort that was asked for; a budget reads as the smallest effort that covers it. */
export function effortOf(reasoning: Reasoning): Effort | undefined {
  if (reasoning.effort !== undefined) return reasoning.effort;
  const budget = reasoning.budgetTokens;
  if (budget === undefined) return undefined;
  const levels = ["low", "medium", "high", "xhigh"] as const;
  return levels.find((level) => budget <= BUDGETS[level]) ?? "max";
}

/** The thinking tokens that were asked for; undefined when thinking is off or left to the model. */
export function budgetOf(reasoning: Reasoning): number | undefined {
  if (reasoning.budgetTokens !== undefined) return reasoning.budgetTokens;
  const { effort } = reasoning;
  if (effort === "none") return undefined;
  return effort === undefined ? (reasoning.adaptive ? BUDGETS.high : undefined) : BUDGETS[effort];
}
