import type { BreakerRules, Standing } from "../core/health.ts";
import type { Capability, Deployment } from "../core/model.ts";
import type { NanoUsd } from "../core/money.ts";
import type { Narrowing } from "../core/policy.ts";
import type {
  Candidate,
  CandidateState,
  DroppedBy,
  RoutingSettings,
  Step,
  Timeouts,
} from "../core/routing.ts";
import { lackOf } from "./capability.ts";
import { ordered, type Draw, type Rated } from "./order.ts";

/** A hard constraint: whose it is, and the reason it gives for each deployment that it removes. */
export interface Hard {
  by: DroppedBy;
  says: Narrowing;
}

/** One group of the chain: what it resolves to, and what binds the choice inside it. */
export interface Link extends Pick<Step, "group" | "when" | "why"> {
  deployments: readonly Deployment[];
  settings: RoutingSettings;
  breaker: BreakerRules;
  usual: Timeouts;
  hard: readonly Hard[];
}

/** What a request needs and how the world stands; the same facts give the same plan. */
export interface PlanFacts {
  needs: ReadonlySet<Capability>;
  /** Tokens that the prompt has at least, plus what the caller demands for the answer. */
  tokens: number;
  /** Unix milliseconds. */
  now: number;
  draw: Draw;
  standing: (deployment: Deployment) => Standing;
  estimate: (deployment: Deployment) => NanoUsd | null;
}

export interface MadePlan {
  steps: Step[];
  candidates: Candidate[];
  /**
   * Deployments that only their health keeps out, with the time from which each may be tried again; `paused` = its
   * provider said until when, `foreseen` = and only by announcing that it would refuse.
   */
  resting: { step: Step; until: number; paused: boolean; foreseen: boolean }[];
}

/**
 * Filters, then strategy, group by group along the chain: hard constraints, capabilities and context, health and limits
 * remove; what is left is ordered. Pure. A deployment stands in the plan once, where it came first.
 */
export function makePlan(links: readonly Link[], facts: PlanFacts): MadePlan {
  const steps: Step[] = [];
  const candidates: Candidate[] = [];
  const resting: MadePlan["resting"] = [];
  const taken = new Set<string>();
  for (const [index, link] of links.entries()) {
    const { group, when, why, deployments, settings, breaker, usual, hard } = link;
    const usable: Rated[] = [];
    for (const deployment of deployments) {
      if (taken.has(deployment.id)) continue;
      const standing = facts.standing(deployment);
      const rated = { deployment, standing, estimate: facts.estimate(deployment) };
      const out = dropOf(rated, settings, hard, facts);
      const candidate = candidateOf(link, index, rated, out);
      candidates.push(candidate);
      if (out === null) usable.push(rated);
      else if (out.by === "health" && standing.openUntil !== null) {
        resting.push({
          step: { deployment, group, when, why, breaker, usual },
          until: standing.openUntil,
          paused: standing.reason === "limit" || standing.reason === "rate_limit",
          foreseen: standing.reason === "limit",
        });
      }
    }
    for (const { deployment } of ordered(usable, settings.strategy, facts.draw)) {
      taken.add(deployment.id);
      const candidate = candidates.find(
        (each) => each.deployment === deployment.id && each.state.link === index,
      );
      if (candidate !== undefined) candidate.place = steps.length;
      steps.push({ deployment, group, when, why, breaker, usual });
    }
  }
  return { steps, candidates, resting };
}

interface Out {
  by: DroppedBy;
  reason: string;
}

/** What took a deployment out of rotation, by fault class, in words. */
const AFTER: Readonly<Record<string, string>> = {
  connection: "failed connections",
  deployment: "its provider refused the credential, account or model",
  rate_limit: "its provider's rate limit",
  timeout: "timeouts",
  transient: "errors of its provider",
};

/** Why a deployment may not serve: the first filter that removes it; null where none does. */
function dropOf(
  { deployment, standing }: Rated,
  settings: RoutingSettings,
  hard: readonly Hard[],
  { needs, tokens, now }: PlanFacts,
): Out | null {
  for (const { by, says } of hard) {
    const reason = says(deployment);
    if (reason !== null) return { by, reason };
  }
  const lack = lackOf(deployment, needs);
  if (lack !== null) return { by: "capability", reason: `lacks ${lack}` };
  const { contextWindow } = deployment.facts;
  if (contextWindow !== undefined && tokens > contextWindow) {
    return {
      by: "context_window",
      reason: `has a window of ${contextWindow} tokens, this request needs about ${tokens}`,
    };
  }
  if (settings.cooldowns && standing.state === "open") {
    const seconds = Math.max(1, Math.ceil(((standing.openUntil ?? now) - now) / 1000));
    return {
      by: "health",
      reason:
        standing.reason === "limit"
          ? `has said that its limits are used up for ${seconds} s`
          : `cools down for ${seconds} s after ${AFTER[standing.reason ?? ""] ?? "failures"}`,
    };
  }
  const { rpm, tpm } = deployment;
  if (rpm !== undefined && standing.liveRequests >= rpm) {
    return { by: "limit", reason: `has had its ${rpm} requests of this minute` };
  }
  if (tpm !== undefined && standing.liveTokens + tokens > tpm) {
    return { by: "limit", reason: `has no room in its ${tpm} tokens of this minute` };
  }
  return null;
}

function candidateOf(
  { group, when, settings: { strategy } }: Link,
  link: number,
  { deployment, standing, estimate }: Rated,
  out: Out | null,
): Candidate {
  const state: CandidateState = {
    weight: deployment.weight,
    order: deployment.order,
    estimate,
    health: standing.state,
    proven: standing.proven,
    latency: standing.latency,
    inFlight: standing.inFlight,
    requests: standing.liveRequests,
    tokens: standing.liveTokens,
    announced: standing.announced,
    synced: { requests: standing.requests, tokens: standing.tokens },
    rpm: deployment.rpm ?? null,
    tpm: deployment.tpm ?? null,
    strategy,
    link,
    when,
  };
  return {
    deployment: deployment.id,
    group,
    provider: deployment.provider,
    region: deployment.region ?? null,
    place: null,
    by: out?.by ?? null,
    reason: out?.reason ?? null,
    state,
  };
}
