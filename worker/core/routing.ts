import type { AutoDecision } from "./auto-router.ts";
import type { FaultClass } from "./fault.ts";
import type { BreakerRules } from "./health.ts";
import type { Deployment, ModelTier } from "./model.ts";
import type { NanoUsd } from "./money.ts";

/** How a deployment is picked among the usable ones of a group, by the documented names. */
export const STRATEGIES = [
  "simple_shuffle",
  "least_busy",
  "lowest_latency",
  "lowest_cost",
  "lowest_tpm_rpm",
  "usage_based_routing_v2",
  "tag_based_routing",
  "auto_router",
] as const;

export type Strategy = (typeof STRATEGIES)[number];

/** The names that LiteLLM's clients use for the same strategies. */
export const STRATEGY_ALIASES: Readonly<Record<string, Strategy>> = {
  "simple-shuffle": "simple_shuffle",
  "least-busy": "least_busy",
  "latency-based-routing": "lowest_latency",
  "cost-based-routing": "lowest_cost",
  "usage-based-routing": "lowest_tpm_rpm",
  "usage-based-routing-v2": "usage_based_routing_v2",
  enable_tag_filtering: "tag_based_routing",
};

/** Milliseconds of one attempt and of the request (PROTOCOLS 10). */
export interface Timeouts {
  /** Until the first content of a stream; null = 30 s, or the total for reasoning models. */
  first: number | null;
  /** Until a whole answer; null = the total. */
  whole: number | null;
  /** Between two events of a stream. */
  between: number;
  total: number;
}

/** Model name -> the groups that take over, in order. */
export type Chains = Readonly<Record<string, readonly string[]>>;

/** How requests of one group are routed: every layer merged. */
export interface RoutingSettings {
  strategy: Strategy;
  /** Only deployments that bear the request's tags may serve. */
  tagFilter: boolean;
  /** One common tag suffices. */
  tagMatchAny: boolean;
  /** Further attempts within one group after its first. */
  numRetries: number;
  /** The same for single classes of faults. */
  retries: Readonly<Partial<Record<FaultClass, number>>>;
  /** Milliseconds; the first wait before the same deployment is tried again, growing from there. */
  backoff: number;
  /** Milliseconds; a provider that asks to wait longer is not waited for. */
  maxWait: number;
  timeouts: Timeouts;
  /** Failures in a row that are forgiven before a deployment leaves the rotation, less one. */
  allowedFails: number;
  /** Milliseconds; the longest time out of rotation between two probes. */
  cooldown: number;
  /** False keeps every deployment in rotation. */
  cooldowns: boolean;
  fallbacks: Chains;
  defaultFallbacks: readonly string[];
  contextWindowFallbacks: Chains;
  contentPolicyFallbacks: Chains;
  /** Longest chain. */
  maxFallbacks: number;
  /** Requests with a common prompt prefix go to the same deployment (PROTOCOLS 26). */
  affinity: boolean;
  /** What a stream that dies after content does (PROTOCOLS 13). */
  midStream: "continue" | "error";
  /** Milliseconds after which a second attempt is started beside one without content; null = never. */
  hedgeAfter: number | null;
  /** Residency class or regions; null = anywhere. */
  residency: string | readonly string[] | null;
  /** The most that one attempt may be estimated at; null = any price. */
  maxCost: NanoUsd | null;
}

/** What one layer says: the organization, a group of it, a key, a rule. What it leaves out stands as below it. */
export type RoutingLayer = Partial<Omit<RoutingSettings, "timeouts">> & {
  timeouts?: Partial<Timeouts>;
};

/** The organization's layer, its groups' own layers, and names that stand for groups. */
export interface OrgRouting {
  all: RoutingLayer;
  groups: Readonly<Record<string, RoutingLayer>>;
  aliases: Readonly<Record<string, string>>;
}

/** When a step may be taken: after anything that another deployment may mend, or only after one class. */
export type StepWhen = "any" | "context_window" | "content_filter";

/** One place of a plan. */
export interface Step {
  deployment: Deployment;
  /** The model group that it is taken from. */
  group: string;
  when: StepWhen;
  /** How strict its breaker is. */
  breaker: BreakerRules;
  /** The deadlines that every caller of its group is given. */
  usual: Timeouts;
  /** Why its group is in the plan. */
  why:
    | "requested"
    | "fallback"
    | "default_fallback"
    | "context_window_fallback"
    | "content_policy_fallback";
}

/** Which filter removed a candidate; the order is that of the filters. */
export const DROPPED_BY = [
  "policy",
  "residency",
  "allowlist",
  "tags",
  "price",
  "capability",
  "context_window",
  "budget",
  "health",
  "limit",
] as const;

export type DroppedBy = (typeof DROPPED_BY)[number];

/** How a deployment stood when it was judged: what the choice can be replayed from. */
export interface CandidateState {
  weight: number;
  order: number;
  /** Nano-dollars that this request is estimated at; null = unknown price. */
  estimate: NanoUsd | null;
  health: "closed" | "open" | "probe";
  /** False until a check or an answer has shown that it works. */
  proven: boolean;
  /** Milliseconds, the lately usual time to its answer; null = none known. */
  latency: number | null;
  inFlight: number;
  /** Requests and tokens of this minute. */
  requests: number;
  tokens: number;
  /** The same as of the last sync, without this isolate's own since. */
  synced: { requests: number; tokens: number };
  /** Share of its provider's own limits that is used, as its answers announced. */
  announced: number;
  /** The deployment's own limits a minute, where it has any. */
  rpm: number | null;
  tpm: number | null;
  /** The strategy of its group. */
  strategy: Strategy;
  /** Which group of the chain it was judged in, from 0, and after what that group may serve. */
  link: number;
  when: StepWhen;
}

/** One deployment that was considered, and what became of it. */
export interface Candidate {
  deployment: string;
  group: string;
  provider: string;
  region: string | null;
  /** Its place in the plan, from 0; null = it is not in it. */
  place: number | null;
  by: DroppedBy | null;
  /** Public text; null for what is in the plan. */
  reason: string | null;
  state: CandidateState;
}

/** Everything that a choice was made from. */
export interface Explanation {
  strategy: Strategy;
  candidates: Candidate[];
  /** Fallback groups that were left out, and why. */
  skipped: { group: string; reason: string }[];
  /** The random draw behind the order. */
  seed: number;
  /** What ties a conversation to its deployment; null = the draw alone decided. */
  affinity: number | null;
  /** The resting deployment that was let through, since nothing else was left; absent where there was no need. */
  probed?: string;
  /** How the groups were chosen, where the name left that to the smart router. */
  smart?: SmartDecision;
  /** What a named router made of the request, where the name was one's. */
  auto?: AutoDecision;
}

/** What the smart router saw, weighed and decided. */
export interface SmartDecision {
  engine: string;
  task: string;
  difficulty: ModelTier;
  /** 0–1: chance that a strong model does better than a light one. */
  need: number;
  confidence: number;
  /** The prompt is unlike anything known: it was placed by chance within the mix. */
  unfamiliar: boolean;
  /** The dial as it was turned, 0–10, and what it saves on. */
  quality: number;
  saves: "cost" | "latency";
  /** State of the tightest budget, which may have turned the dial. */
  budget: string;
  /** The group that serves first; null where none is able. */
  chosen: string | null;
  /** The conversation's home group. */
  home: string | null;
  /** 0–1, how far up the hull the prompt was put. */
  reach: number;
  reason: string;
  /** The version of what the organization learned that this was decided by; null = learning is off, or nothing is known. */
  learned: number | null;
  /** Another model than the best was tried, with what chance this one was drawn, and the draw's seed; null = no draw. */
  explored: boolean;
  propensity: number | null;
  seed: number | null;
  candidates: Scored[];
}

/** One option of the smart router as it was weighed. */
export interface Scored {
  group: string;
  deployment: string;
  tier: ModelTier;
  /** 0–1, chance to solve a prompt of this task. */
  quality: number;
  /** Nano-dollars that this request is expected to cost; null = unknown price. */
  cost: number | null;
  /** Milliseconds. */
  latency: number;
  onHull: boolean;
}
