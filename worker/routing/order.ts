import type { Deployment } from "../core/model.ts";

/**
 * The order in which candidates are tried: tiers by `order`, and within a tier a draw without replacement by weight
 * (`simple_shuffle`). The same seed gives the same order, so that a recorded decision can be replayed.
 */
export function shuffled(candidates: readonly Deployment[], seed: number): Deployment[] {
  const draw = random(seed);
  const tiers = new Map<number, Deployment[]>();
  for (const each of candidates) tiers.set(each.order, [...(tiers.get(each.order) ?? []), each]);
  return [...tiers.entries()]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([, tier]) => drawByWeight(tier, draw));
}

function drawByWeight(tier: readonly Deployment[], draw: () => number): Deployment[] {
  const left = tier.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const out: Deployment[] = [];
  while (left.length > 0) {
    const total = left.reduce((sum, each) => sum + each.weight, 0);
    let mark = draw() * total;
    let index = left.findIndex((each) => (mark -= each.weight) < 0);
    // All weights 0, or the draw fell on the very end.
    if (index < 0) index = total > 0 ? left.length - 1 : Math.floor(draw() * left.length);
    out.push(...left.splice(index, 1));
  }
  return out;
}

/** A 32-bit generator (mulberry32) of numbers in [0, 1): small, and the same in every engine version. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
