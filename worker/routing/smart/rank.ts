import { model } from "./shipped.ts";

/** The share of prompts whose need is lower, 0–1, by the distribution that the weights were made with. */
export function rankOf(need: number): number {
  const { ranks } = model;
  const last = ranks.length - 1;
  if (need <= (ranks[0] ?? 0)) return 0;
  for (let at = 1; at <= last; at++) {
    const [low = 0, high = 1] = [ranks[at - 1], ranks[at]];
    if (need < high) return (at - 1 + (need - low) / Math.max(1e-9, high - low)) / last;
  }
  return 1;
}
