import { isJsonObject, type Json } from "../../core/json.ts";
import { usdText } from "../../core/money.ts";
import type { SmartDecision } from "../../core/routing.ts";

/** A smart decision as people and `/policy/explain` read it. */
export interface SmartExplanation {
  engine: string;
  task: string;
  difficulty: string;
  need_for_strong: number;
  confidence: number;
  out_of_distribution: boolean;
  dial: { quality: number; saves: string; budget: string };
  /** The group that serves first; null where none is able, or on records that did not keep it. */
  choice: string | null;
  home: string | null;
  reason: string;
  learned_version: number | null;
  propensity: number | null;
  candidates: {
    group: string;
    tier: string;
    quality: number;
    cost_usd: string | null;
    latency_ms: number;
    on_hull: boolean;
  }[];
}

const REASONS: Readonly<Record<string, string>> = {
  need: "the prompt's need for strength picked the place on the price-quality hull",
  mix: "the prompt is unlike what the classifier knows, so that its place on the hull was drawn, wholly or in part, the same for the same conversation",
  only: "only one model is worth its price here",
  home: "the conversation stays with the model of its first turn",
  rose: "a later turn gained more by a stronger model than the lost prompt cache costs",
  explore: "another model that may be as good is tried, as this organization lets its router do",
  ability:
    "what the conversation needs by now its own model can't do; the next in the chain that can does",
  slow: "the conversation's own model lately takes much longer than others of its kind; the next in the chain serves",
  health: "the conversation's own model can't serve now; the next in the chain does",
};

/** Says a decision in words and plain units. Pure: what the record holds is all it needs. */
export function explainSmart(decision: SmartDecision): SmartExplanation {
  const round = (value: number) => Math.round(value * 1000) / 1000;
  return {
    engine: decision.engine,
    task: decision.task,
    difficulty: decision.difficulty,
    need_for_strong: round(decision.need),
    confidence: round(decision.confidence),
    out_of_distribution: decision.unfamiliar,
    dial: { quality: decision.quality, saves: decision.saves, budget: decision.budget },
    choice: decision.chosen ?? null,
    home: decision.home,
    reason: REASONS[decision.reason] ?? decision.reason,
    learned_version: decision.learned,
    propensity: decision.propensity,
    candidates: decision.candidates.map((each) => ({
      group: each.group,
      tier: each.tier,
      quality: round(each.quality),
      cost_usd: each.cost === null ? null : usdText(each.cost),
      latency_ms: each.latency,
      on_hull: each.onHull,
    })),
  };
}

/** The same of a decision as the audit log keeps it, its candidates in columns; null where there is none. */
export function explainRecorded(smart: Json | undefined): SmartExplanation | null {
  if (!isJsonObject(smart)) return null;
  const column = (name: string) => {
    const values = smart[name];
    return Array.isArray(values) ? values : [];
  };
  const candidates = column("groups").map((group, at) => ({
    group,
    tier: column("tiers")[at],
    quality: column("qualities")[at],
    cost: column("costs_nano_usd")[at] ?? null,
    latency: column("latencies_ms")[at],
    onHull: column("on_hull")[at],
  }));
  return explainSmart({ ...smart, candidates } as unknown as SmartDecision);
}
