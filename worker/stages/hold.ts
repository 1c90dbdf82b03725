import { chargeOf } from "../core/account.ts";
import type { HoldAnswer, LeaseRef, ScopeView } from "../core/account.ts";
import { plus } from "../core/amount.ts";
import type { Amount } from "../core/amount.ts";
import type { Authorized, Chosen, Dropped, Progress } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import type { Deployment } from "../core/model.ts";
import type { Deps } from "../core/ports.ts";
import type { Overbilling } from "../routing/worst-case.ts";
import { outputWithin, USEFUL_OUTPUT, worstCase } from "../routing/worst-case.ts";
import { limitedScopes } from "./limited.ts";
import { refusalOf, Throttled } from "./over-limit.ts";
import { payerOf } from "./payer.ts";

/** What a request set aside before its provider is called. */
export interface Held {
  holdId: string;
  leases: LeaseRef[];
  /** Deployments of the plan that a budget can't afford: they have to leave it. */
  dropped: Dropped[];
  /** Tokens that each answer may have at most, where a budget or limit affords no more. */
  outputLimit?: number;
  /** How the scopes of the request stood. */
  views: ScopeView[];
}

/**
 * Sets aside the worst case of the plan's dearest attempt, in every scope that pays and is limited, and in the team.
 * Where that does not fit but a useful answer does, the answer is limited to what fits. Throws the refusal of CONTRACT
 * 1.7 where a budget or a limit has no room: 429, or 503 where the account can't be reached; and `Throttled` where a
 * cheaper target would still be served (`cheap` says that this is one).
 */
export async function hold(
  deps: Deps,
  call: Authorized,
  plan: readonly Deployment[],
  cheap = false,
): Promise<Held> {
  const beyond = overbillingIn(deps);
  const max = worstCase(call, plan, Infinity, beyond);
  const min = worstCase(call, plan, USEFUL_OUTPUT, beyond);
  const answer = await holdUpTo(deps, call, { max, min, cheap });
  if (!answer.granted) {
    const error = refusalOf(answer, min);
    throw answer.reason === "throttle" ? new Throttled(error) : error;
  }
  const { holdId, leases, amount } = answer;
  const views = answer.views.filter((view) => view !== null);
  const dropped = await withoutPrice(deps, plan, holdId, views);
  const capped = amount.cost < max.cost || amount.tokens < max.tokens;
  return {
    holdId,
    leases,
    dropped,
    views,
    ...(capped && { outputLimit: outputWithin(call, plan, amount, beyond) }),
  };
}

/**
 * Makes room for one more attempt: what the earlier ones came to stays held beside its worst case (PLATFORM 26). To be
 * awaited before each attempt but the first; it costs no call where they came to nothing. False = no room is
 * left for this deployment: pass it over. `beside` = deployments that are being tried meanwhile. Never rejects.
 */
export async function raise(
  deps: Deps,
  call: Chosen,
  progress: Pick<Progress, "attempts">,
  deployment: Deployment,
  beside: readonly Deployment[] = [],
): Promise<boolean> {
  const beyond = overbillingIn(deps);
  let max: Amount = { ...chargeOf(progress), requests: 0 };
  for (const each of beside) {
    max = plus(max, { ...worstCase(call, [each], call.outputLimit, beyond), requests: 0 });
  }
  max = plus(max, worstCase(call, [deployment], call.outputLimit, beyond));
  try {
    return (await holdUpTo(deps, call, { max, min: max, cheap: call.cheap === true })).granted;
  } catch {
    // What can't be held is not tried: the caller is told of the attempt that failed.
    return false;
  }
}

/** A provider that billed beyond its bound is expected to do so again. */
function overbillingIn({ account }: Deps): Overbilling {
  return (deployment) => account.overbilling?.(deployment) ?? 1;
}

function holdUpTo(
  deps: Deps,
  call: Authorized,
  asked: { max: Amount; min: Amount; cheap: boolean },
): Promise<HoldAnswer> {
  const payer = payerOf(call);
  const { orgId, teamId } = payer;
  return deps.account.hold({
    orgId,
    teamId,
    requestId: call.requestId,
    scopes: limitedScopes(call, payer),
    longestMs: Math.max(0, call.deadline - call.receivedAt),
    ...asked,
  });
}

/** Under a budget in US dollars only what has a price may serve (PROTOCOLS 12). */
async function withoutPrice(
  deps: Deps,
  plan: readonly Deployment[],
  holdId: string,
  views: readonly ScopeView[],
): Promise<Dropped[]> {
  if (views.every(({ limit }) => limit.cost === null)) return [];
  const unpriced = plan.filter(({ facts }) => facts.prices === undefined);
  if (unpriced.length < plan.length) {
    return unpriced.map(({ id }) => ({ deployment: id, reason: "price unknown under a budget" }));
  }
  await deps.account.release(holdId);
  throw new GatewayError(
    "price_unknown",
    `The price of '${plan[0]?.model ?? ""}' is not known, and a budget in US dollars applies: an administrator can set input_cost_per_token and output_cost_per_token on the model.`,
    { param: "model" },
  );
}
