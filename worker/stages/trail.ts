import type { LeaseRef } from "../core/account.ts";
import { RAISE } from "../core/audit.ts";
import type { AuditEventType, AuditRecord } from "../core/audit.ts";
import { CANDIDATE_STATE, ENGINE, outcomeData, outcomeType } from "../core/audit-data.ts";
import type { DecisionData, OutcomeData, RaiseData, RefusalData } from "../core/audit-data.ts";
import type { Authenticated, Authorized, Chosen, Progress } from "../core/call.ts";
import type { GatewayError } from "../core/errors.ts";
import { timeOrderedId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Deps } from "../core/ports.ts";
import { actorOf } from "../core/principal.ts";
import type { SignalValue, Verdict } from "../core/policy.ts";
import { pause } from "../core/time.ts";
import type { CandidateState, Explanation, SmartDecision, Step } from "../core/routing.ts";
import { withoutSecrets } from "../protocols/faults.ts";
import { shortName } from "../providers/resolve.ts";
import { inputsOf } from "./inputs.ts";
import { payerOf } from "./payer.ts";
import { totalCost, type Ending } from "./settle.ts";

/** A decision that is recorded while the provider works. */
export interface Meanwhile {
  /** What the dispatch works with. */
  deps: Deps;
  /** Whether it is durable, which it has to be before the first byte reaches the caller. Never rejects. */
  recording: Promise<boolean>;
}

/**
 * Records the decision behind the provider's request, which an append in the same thread would hold up: a turn later, or
 * as soon as a provider answers. It is recorded even if the caller leaves meanwhile.
 */
export function recordMeanwhile(deps: Deps, call: Chosen): Meanwhile {
  const { promise: answered, resolve: begin } = Promise.withResolvers<void>();
  const recording = Promise.race([pause(0), answered]).then(() => recordDecision(deps, call));
  deps.waitUntil(recording);
  const send: Deps["upstream"]["send"] = (request) => deps.upstream.send(request).finally(begin);
  return { deps: { ...deps, upstream: { send } }, recording };
}

/**
 * Puts the decision on record, with what it takes to charge and end the request if this isolate should not live to do
 * it. Never rejects.
 */
export async function recordDecision(deps: Deps, call: Chosen): Promise<boolean> {
  const { teamId, userId, keyId, customerId } = payerOf(call);
  const began = deps.now();
  const durable = await append(deps, call, "request.routed", {
    deadline: call.deadline,
    team_id: teamId,
    ...(userId !== undefined && { user_id: userId }),
    ...(keyId !== undefined && { key_id: keyId }),
    ...(customerId !== undefined && { customer_id: customerId }),
    // Where something else serves it, nobody has said yet that what was asked for is a model's name.
    model: call.chat.model === call.model ? call.model.slice(0, 256) : nameOf(call.chat.model),
    group: call.model,
    endpoint: call.endpoint,
    stream: call.chat.stream,
    engine: ENGINE,
    plan: call.plan.map(({ deployment }) => deployment.id),
    ...(call.cheap === true && { throttled: true as const }),
    ...judgedBy(call.verdict),
    ...inputsOf(deps, call),
    ...chosenBy(call.explanation),
    leases: call.leases,
  });
  deps.metrics.audit({ durable, lagMs: deps.now() - began });
  return durable;
}

/**
 * Puts on record what a further attempt set aside beyond the decision: whoever charges the request if this isolate should
 * not live to do it, charges that too. Like a decision it has to be durable before the first byte leaves.
 */
export function recordRaise(
  deps: Deps,
  call: Chosen,
  { deployment, group }: Pick<Step, "deployment" | "group">,
  attempts: number,
  leases: LeaseRef[],
): Promise<boolean> {
  const at = { deployment: deployment.id, group: group.slice(0, 256), attempts };
  return append(deps, call, RAISE, { ...at, leases });
}

/** What a caller calls a model. It may be anything: a key that was pasted into the wrong field, too. */
function nameOf(model: string): string {
  return withoutSecrets(shortName(model));
}

/** What the policies read and decided, as records show it. */
function judgedBy(verdict: Verdict | undefined): Partial<DecisionData & RefusalData> {
  if (verdict === undefined) return {};
  const { parts, version, hash, rule, route, audit, features, signals } = verdict;
  const cut = (value: SignalValue): SignalValue =>
    typeof value === "string" ? withoutSecrets(value.slice(0, 256)) : value;
  return {
    policy: parts.slice(0, 16),
    policy_version: version,
    policy_hash: hash,
    rule_id: rule,
    ...(route !== undefined && { route }),
    ...(audit?.retentionDays !== undefined && { retention_days: audit.retentionDays }),
    ...Object.fromEntries(features.map(({ field, id }) => [field, id])),
    signals: {
      values: Object.fromEntries(
        Object.entries(signals.values).map(([name, value]) => [name, cut(value)] as const),
      ) as Record<string, boolean | number | string | string[] | null>,
      unknown: signals.unknown,
      predicates: signals.predicates,
      ...(signals.onlyHeld && { onlyHeld: true as const }),
      ...(signals.failed && { failed: signals.failed }),
    },
  };
}

/** What a choice was made from, as records show it. */
export function chosenBy(explanation: Explanation): DecisionData & RefusalData {
  const { probed, strategy, candidates, skipped, seed, affinity, smart, auto } = explanation;
  return {
    ...(smart !== undefined && { smart: smartOf(smart) }),
    ...(auto !== undefined && {
      auto: {
        ...auto,
        router: auto.router.slice(0, 256),
        route: auto.route?.slice(0, 256) ?? null,
        score: Number(auto.score.toPrecision(6)),
      },
    }),
    strategy,
    seed,
    affinity,
    ...(probed !== undefined && { probed }),
    ...(skipped.length > 0 && {
      skipped: skipped.map((each) => ({ ...each, group: each.group.slice(0, 256) })),
    }),
    candidates: candidates.map(({ deployment, group, provider, region, by, reason, state }) => ({
      deployment,
      group: group.slice(0, 256),
      provider,
      ...(region !== null && { region }),
      state: stateOf(state),
      ...(by !== null && { dropped_by: by }),
      ...(reason !== null && { dropped: reason.slice(0, 128) }),
    })),
  };
}

/** A candidate's state by the places of `CANDIDATE_STATE`. */
function stateOf(state: CandidateState): (string | number | boolean | null)[] {
  const values: Record<(typeof CANDIDATE_STATE)[number], string | number | boolean | null> = {
    order: state.order,
    weight: state.weight,
    health: state.health,
    latency_ms: state.latency,
    in_flight: state.inFlight,
    estimate_nano_usd: state.estimate,
    proven: state.proven,
    requests: state.requests,
    tokens: state.tokens,
    synced_requests: state.synced.requests,
    synced_tokens: state.synced.tokens,
    strategy: state.strategy,
    rpm: state.rpm,
    tpm: state.tpm,
    link: state.link,
    when: state.when,
    announced: state.announced,
  };
  return CANDIDATE_STATE.map((name) => values[name]);
}

/** The smart router's part: what it saw and weighed, by group. */
function smartOf({ candidates, ...smart }: SmartDecision): NonNullable<DecisionData["smart"]> {
  const short = (value: number) => Number(value.toPrecision(6));
  return {
    ...smart,
    need: short(smart.need),
    reach: short(smart.reach),
    groups: candidates.map(({ group }) => group.slice(0, 256)),
    tiers: candidates.map(({ tier }) => tier),
    qualities: candidates.map(({ quality }) => short(quality)),
    costs_nano_usd: candidates.map(({ cost }) => cost),
    latencies_ms: candidates.map(({ latency }) => latency),
    on_hull: candidates.map(({ onHull }) => onHull),
  };
}

/** Puts on record that a known caller was refused before anything was chosen. */
export async function recordRefusal(
  deps: Deps,
  call: Authenticated | Authorized,
  error: GatewayError,
): Promise<boolean> {
  const { explanation } = error.detail;
  return append(deps, call, "request.blocked", {
    model: nameOf(call.chat.model),
    endpoint: call.endpoint,
    error: error.kind,
    status: error.status,
    engine: ENGINE,
    ...judgedBy("verdict" in call ? call.verdict : undefined),
    ...inputsOf(deps, call),
    ...(explanation !== undefined && { plan: [], ...chosenBy(explanation) }),
  });
}

/** Puts the outcome on record; it follows the answer. */
export async function recordOutcome(
  deps: Deps,
  call: Chosen,
  progress: Progress,
  ending: Ending,
): Promise<boolean> {
  const data = outcomeData({
    status: ending.status,
    usage: progress.usage,
    cost: totalCost(progress),
    latencyMs: deps.now() - call.receivedAt,
    timeToFirstTokenMs: progress.firstContentAt,
    attempts: progress.attempts,
    fallbacks: progress.fallbacks,
  });
  return append(deps, call, outcomeType(ending.outcome), data);
}

async function append(
  deps: Deps,
  call: Authenticated,
  type: AuditEventType,
  data: DecisionData | RaiseData | RefusalData | OutcomeData,
): Promise<boolean> {
  const { principal } = call.identity;
  const record: AuditRecord = {
    eventId: `evt_${timeOrderedId(deps.now())}`,
    type,
    at: deps.now(),
    orgId: principal.orgId,
    actor: actorOf(principal),
    requestId: call.requestId,
    data: data as JsonObject,
    ...(principal.teamId !== undefined && { teamId: principal.teamId }),
    ...(principal.keyHandle !== undefined && { keyHandle: principal.keyHandle }),
  };
  try {
    const [result] = await deps.audit.append([record]);
    return result?.ok === true;
  } catch {
    return false;
  }
}
