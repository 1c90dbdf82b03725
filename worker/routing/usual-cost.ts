import type { ChatRequest } from "../core/chat.ts";
import type { Deployment } from "../core/model.ts";
import { costOf, type NanoUsd } from "../core/money.ts";
import { NO_USAGE } from "../core/usage.ts";

/** Taken for the answer's length where the caller names none and a price is only compared. */
const USUAL_OUTPUT = 1_000;

/** What a request of so many prompt tokens is likely to come to on a deployment; null where it has no known price. */
export function usualCost(
  { sampling: { maxOutputTokens } }: ChatRequest,
  prompt: number,
): (deployment: Deployment) => NanoUsd | null {
  const usage = { ...NO_USAGE, input: prompt, output: maxOutputTokens ?? USUAL_OUTPUT };
  return ({ facts: { prices } }) => (prices === undefined ? null : costOf(usage, prices));
}
