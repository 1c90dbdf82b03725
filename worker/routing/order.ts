import type { Standing } from "../core/health.ts";
import type { Deployment } from "../core/model.ts";
import type { NanoUsd } from "../core/money.ts";
import type { Strategy } from "../core/routing.ts";
import { unit } from "./random.ts";

/** A usable deployment with what strategies weigh it by. */
export interface Rated {
  deployment: Deployment;
  standing: Standing;
  /** What this request is estimated at there; null = unknown price. */
  estimate: NanoUsd | null;
}

/** What breaks ties: a key that all isolates agree on, or this request's own draw. */
export interface Draw {
  seed: number;
  /** Hash of what a conversation keeps; null = every request is drawn anew. */
  affinity: number | null;
}

/**
 * The order in which the usable deployments of a group are tried. Those that never worked yet stand last, `order` makes
 * strict tiers, and within a tier the strategy decides; what it counts as equal is drawn by weight. The same input gives
 * the same order, so that a recorded decision can be replayed.
 */
export function ordered(candidates: readonly Rated[], strategy: Strategy, draw: Draw): Rated[] {
  const rank = RANK[strategy];
  const weigh = weights(candidates.map((each) => each.deployment));
  const bests = rank === null ? null : best(candidates, rank);
  return candidates
    .map((each) => ({
      each,
      // A probe is tried first: it is one request, and nothing else shows that the deployment is back.
      keys: [
        each.standing.state === "probe" || each.standing.proven ? 0 : 1,
        each.deployment.order,
        each.standing.state === "probe" ? 0 : 1,
        bests === null || rank === null ? 0 : bests(rank(each)),
        score(each.deployment, weigh(each.deployment), draw),
      ],
    }))
    .toSorted(
      (a, b) => compare(a.keys, b.keys) || (a.each.deployment.id < b.each.deployment.id ? -1 : 1),
    )
    .map(({ each }) => each);
}

/** Smaller is better; what is equal is drawn. Null = the draw decides alone. */
type Rank = ((each: Rated) => number) | null;

const share = (requests: number, tokens: number, { rpm, tpm }: Deployment): number =>
  Math.max(rpm ? requests / rpm : 0, tpm ? tokens / tpm : 0);

const RANK: Readonly<Record<Strategy, Rank>> = {
  simple_shuffle: null,
  tag_based_routing: null,
  auto_router: null,
  least_busy: ({ standing }) => standing.inFlight,
  // What was never measured goes first, once; afterwards it is measured.
  lowest_latency: ({ standing }) => standing.latency ?? 0,
  lowest_cost: ({ estimate }) => estimate ?? Number.MAX_SAFE_INTEGER,
  lowest_tpm_rpm: ({ deployment, standing: { requests, tokens, announced } }) =>
    Math.max(announced, share(requests, tokens, deployment)),
  usage_based_routing_v2: ({ deployment, standing: { liveRequests, liveTokens, announced } }) =>
    Math.max(announced, share(liveRequests, liveTokens, deployment)),
};

/** Measures within a tenth of the best count as the best: else every isolate would send all to one and the same. */
const NEAR = 1.1;

function best(candidates: readonly Rated[], rank: NonNullable<Rank>): (value: number) => number {
  const lowest = Math.min(...candidates.map(rank));
  return (value) => (value <= lowest * NEAR ? lowest : value);
}

/**
 * Weighted rendezvous: sorting by −ln(u)/weight, with u from the key and the deployment, draws without replacement by
 * weight; with one key for a conversation, adding or losing a deployment moves only what it held.
 */
function score(deployment: Deployment, weight: number, { seed, affinity }: Draw): number {
  const drawn = -Math.log(unit(deployment.id, affinity ?? seed));
  // Whatever weighs nothing stands behind all that weighs something.
  return weight > 0 ? drawn / weight : 1e300 * (1 + drawn);
}

/** Weights as given; where nobody gave any, by the limits that all of a group state. */
function weights(deployments: readonly Deployment[]): (deployment: Deployment) => number {
  const plain = deployments.every((each) => each.weight === 1);
  if (plain && deployments.every((each) => each.rpm)) return (each) => each.rpm ?? 1;
  if (plain && deployments.every((each) => each.tpm)) return (each) => each.tpm ?? 1;
  return (each) => each.weight;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) {
    const other = b[i] ?? 0;
    if (value !== other) return value - other;
  }
  return 0;
}
