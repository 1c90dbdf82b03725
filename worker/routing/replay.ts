import { CANDIDATE_STATE } from "../core/audit-data.ts";
import type { ErrorKind } from "../core/errors.ts";
import type { Standing } from "../core/health.ts";
import { isJsonObject } from "../core/json.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { Deployment } from "../core/model.ts";
import { STRATEGIES, type DroppedBy, type StepWhen, type Strategy } from "../core/routing.ts";
import { beginnings, kindOfEmpty } from "./empty.ts";
import { ordered } from "./order.ts";
import type { Rated } from "./order.ts";

/**
 * The order that the recorded candidates, states, seed and strategies give: deployment ids, as the record's `plan` has
 * them. Null for a record that does not hold what it takes. Pure.
 */
export function replayOrder(record: JsonObject): string[] | null {
  const { candidates, seed, affinity, probed } = record;
  if (!Array.isArray(candidates) || typeof seed !== "number") return null;
  const draw = { seed, affinity: typeof affinity === "number" ? affinity : null };
  const links = new Map<Json, JsonObject[]>();
  for (const each of candidates) {
    if (!isJsonObject(each) || typeof each["group"] !== "string") return null;
    // Records of the first engine tell no links: there each group had one.
    const link = stateOf(each)["link"] ?? each["group"];
    links.set(link, [...(links.get(link) ?? []), each]);
  }
  const plan: JsonObject[] = [];
  for (const members of links.values()) {
    const usable = members.filter((each) => each["dropped"] === undefined || byBudget(each));
    if (usable.length === 0) continue;
    const strategy = stateOf(usable[0] ?? {})["strategy"];
    if (typeof strategy !== "string" || !isStrategy(strategy)) return null;
    const rated = usable.map(ratedOf);
    for (const { deployment } of ordered(rated, strategy, draw)) {
      plan.push(usable.find((each) => each["deployment"] === deployment.id) ?? {});
    }
  }
  // What the budget could not bear was in the order, and was taken out of it.
  const kept = begun(plan, candidates as JsonObject[], probed).filter((each) => !byBudget(each));
  return kept.map((each) => (typeof each["deployment"] === "string" ? each["deployment"] : ""));
}

/** What the plan begins with, as the stage has it: chains for single faults come last, or serve where no other does. */
function begun(
  plan: readonly JsonObject[],
  candidates: readonly JsonObject[],
  probed: Json | undefined,
): JsonObject[] {
  const whenOf = (each: JsonObject) => stateOf(each)["when"] ?? "any";
  const any = plan.filter((each) => whenOf(each) === "any");
  if (any.length > 0) return [...any, ...plan.filter((each) => whenOf(each) !== "any")];
  const larger = plan.filter((each) => whenOf(each) === "context_window");
  const tooLong = candidates.some((each) => stateOf(each)["dropped_by"] === "context_window");
  if (tooLong && larger.length > 0) return larger;
  return typeof probed === "string" ? [{ deployment: probed }, ...plan] : [];
}

/** The refusal that a record without a plan came to; null where it holds no candidates. */
export function replayRefusal({ candidates }: JsonObject): ErrorKind | null {
  if (!Array.isArray(candidates)) return null;
  const dropped = candidates.filter(isJsonObject).map((each) => {
    const { dropped_by: by = null, when = "any" } = stateOf(each);
    return { by: by as DroppedBy | null, when: when as StepWhen };
  });
  return kindOfEmpty(beginnings(dropped, (each) => each).map(({ by }) => by));
}

function isStrategy(name: string): name is Strategy {
  return (STRATEGIES as readonly string[]).includes(name);
}

function byBudget(candidate: JsonObject): boolean {
  return stateOf(candidate)["dropped_by"] === "budget";
}

/** A candidate's members and its state by name. Engine 0.1.0 wrote the state as an object. */
function stateOf({ state, ...candidate }: JsonObject): JsonObject {
  const named = Array.isArray(state)
    ? Object.fromEntries(CANDIDATE_STATE.map((name, at) => [name, state[at] ?? null]))
    : state;
  return { ...candidate, ...(isJsonObject(named) && named) };
}

function ratedOf(candidate: JsonObject): Rated {
  const state = stateOf(candidate);
  const { rpm, tpm, estimate_nano_usd: estimate } = state;
  const standing: Standing = {
    state: state["health"] as Standing["state"],
    openUntil: null,
    reason: null,
    proven: state["proven"] === true,
    errorRate: 0,
    latency: typeof state["latency_ms"] === "number" ? state["latency_ms"] : null,
    inFlight: numberOf(state["in_flight"]),
    requests: numberOf(state["synced_requests"]),
    tokens: numberOf(state["synced_tokens"]),
    liveRequests: numberOf(state["requests"]),
    liveTokens: numberOf(state["tokens"]),
    announced: numberOf(state["announced"]),
  };
  // Only what an order looks at.
  const deployment: Pick<Deployment, "id" | "order" | "weight" | "rpm" | "tpm"> = {
    id: typeof candidate["deployment"] === "string" ? candidate["deployment"] : "",
    order: numberOf(state["order"]),
    weight: numberOf(state["weight"]),
    ...(typeof rpm === "number" && { rpm }),
    ...(typeof tpm === "number" && { tpm }),
  };
  return {
    deployment: deployment as Deployment,
    standing,
    estimate: typeof estimate === "number" ? estimate : null,
  };
}

function numberOf(value: Json | undefined): number {
  return typeof value === "number" ? value : 0;
}
