import { chargeOf, scopesOf } from "../core/account.ts";
import type { HoldAnswer, HoldRefusal, LeaseRef } from "../core/account.ts";
import { plus } from "../core/amount.ts";
import type { Amount } from "../core/amount.ts";
import type { Authorized, Chosen, Dropped, Progress } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import type { Deployment } from "../core/model.ts";
import { usdText } from "../core/money.ts";
import type { Deps } from "../core/ports.ts";
import { worstCase } from "../routing/worst-case.ts";
import { payerOf } from "./payer.ts";

/** What a request set aside before its provider is called. */
export interface Held {
  holdId: string;
  leases: LeaseRef[];
  /** Deployments of the plan that a budget can't afford: they have to leave it. */
  dropped: Dropped[];
}

/**
 * Sets aside the worst case of the plan's dearest attempt, in every scope that pays. Throws the refusal of CONTRACT 1.7
 * where a budget or a limit has no room for it: 429, or 503 where the account can't be reached.
 */
export async function hold(
  deps: Deps,
  call: Authorized,
  plan: readonly Deployment[],
): Promise<Held> {
  const answer = await holdUpTo(deps, call, worstCase(call, plan));
  if (!answer.granted) throw refusalOf(answer, deps.now());
  return { holdId: answer.holdId, leases: answer.leases, dropped: [] };
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
  let max: Amount = { ...chargeOf(progress), requests: 0 };
  for (const each of beside) max = plus(max, { ...worstCase(call, [each]), requests: 0 });
  try {
    return (await holdUpTo(deps, call, plus(max, worstCase(call, [deployment])))).granted;
  } catch {
    // What can't be held is not tried: the caller is told of the attempt that failed.
    return false;
  }
}

function holdUpTo(deps: Deps, call: Authorized, max: Amount): Promise<HoldAnswer> {
  const payer = payerOf(call);
  const { orgId, teamId } = payer;
  const { requestId } = call;
  return deps.account.hold({ orgId, teamId, requestId, scopes: scopesOf(payer), max });
}

function refusalOf(refusal: HoldRefusal, now: number): GatewayError {
  const { scope, limit, spent, reserved, resetAt } = refusal;
  const reset = new Date(resetAt).toISOString();
  if (refusal.reason === "rate") {
    return new GatewayError("rate_limit_exceeded", `The ${scope.kind}'s rate limit is reached.`, {
      retryAfter: Math.max(1, Math.ceil((resetAt - now) / 1000)),
    });
  }
  return new GatewayError(
    "budget_exceeded",
    `The ${scope.kind}'s budget of ${usdText(limit)} USD is used up until ${reset}.`,
    {
      members: {
        budget: {
          scope: scope.kind,
          id: scope.id,
          limit_usd: usdText(limit),
          spent_usd: usdText(spent),
          reserved_usd: usdText(reserved),
          reset_at: reset,
        },
      },
      headers: { "x-routero-budget-reset-at": reset },
    },
  );
}
