import { CANDIDATE_STATE } from "../core/audit-data.ts";
import type { Standing } from "../core/health.ts";
import { isJsonObject } from "../core/json.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { Deployment } from "../core/model.ts";
import type { Strategy } from "../core/routing.ts";
import { ordered } from "./order.ts";
import type { Rated } from "./order.ts";

/**
 * The order that the recorded candidates, states, seed and strategies give: deployment ids, as the record's `plan` has
 * them. Null for a record that does not hold what it takes. Pure.
 */
export function replayOrder(record: JsonObject): string[] | null {
  const { candidates, seed, affinity } = record;
  if (!Array.isArray(candidates) || typeof seed !== "number") return null;
  const draw = { seed, affinity: typeof affinity === "number" ? affinity : null };
  const groups = new Map<string, JsonObject[]>();
  for (const each of candidates) {
    if (!isJsonObject(each) || typeof each["group"] !== "string") return null;
    groups.set(each["group"], [...(groups.get(each["group"]) ?? []), each]);
  }
  const plan: string[] = [];
  for (const members of groups.values()) {
    const usable = members.filter((each) => each["dropped"] === undefined || byBudget(each));
    const strategy = stateOf(usable[0] ?? {})["strategy"];
    if (usable.length > 0 && typeof strategy !== "string") return null;
    const rated = usable.map(ratedOf);
    for (const { deployment } of ordered(rated, strategy as Strategy, draw)) {
      const member = usable.find((each) => each["deployment"] === deployment.id);
      // What the budget could not bear was in the order, and was taken out of it.
      if (member !== undefined && !byBudget(member)) plan.push(deployment.id);
    }
  }
  return plan;
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
