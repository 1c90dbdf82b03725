import { scopesOf, type Payer } from "../core/account.ts";
import type { Authenticated, Authorized, Chosen, Credentialed, Dropped } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import { usdText } from "../core/money.ts";
import type { Deps } from "../core/ports.ts";
import { lackOf, needsOf } from "../routing/capability.ts";
import { shuffled } from "../routing/order.ts";
import { allows, resolvableModels, resolve, shortName } from "../providers/resolve.ts";
import { worstCase } from "../routing/worst-case.ts";
import { allowlists } from "./authorize.ts";

/** Candidates, hard filters, strategy: an ordered plan with the reason for each that was dropped, and its money held. */
export async function choose(deps: Deps, call: Authorized): Promise<Chosen> {
  const resolution = resolve(call.model, {
    shared: call.identity.shared,
    hasPlatformKey: (provider) => deps.platformKey(provider) !== null,
  });
  if (!resolution.found) {
    throw new GatewayError("model_not_found", resolution.reason, { param: "model" });
  }
  const needs = needsOf(call.chat);
  const dropped: Dropped[] = [];
  const usable = resolution.candidates.filter((each) => {
    const lack = lackOf(each, needs);
    if (lack !== null) dropped.push({ deployment: each.id, reason: `lacks ${lack}` });
    return lack === null;
  });
  if (usable.length === 0) {
    const reasons = [...new Set(dropped.map((each) => each.reason))].join(", ");
    throw new GatewayError(
      "capability_not_supported",
      `No deployment of '${shortName(call.chat.model)}' can serve this request: it ${reasons}.`,
      { param: "model" },
    );
  }
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const plan = shuffled(usable, seed);
  const payer = payerOf(call);
  const hold = await deps.account.hold({
    orgId: payer.orgId,
    teamId: payer.teamId,
    requestId: call.requestId,
    scopes: scopesOf(payer),
    max: worstCase(call, plan),
  });
  if (!hold.granted) {
    const { scope, limit, spent, reserved, resetAt } = hold;
    const reset = new Date(resetAt).toISOString();
    if (hold.reason === "rate") {
      throw new GatewayError("rate_limit_exceeded", `The ${scope.kind}'s rate limit is reached.`, {
        retryAfter: Math.max(1, Math.ceil((resetAt - deps.now()) / 1000)),
      });
    }
    throw new GatewayError(
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
  return { ...call, plan, dropped, seed, holdId: hold.holdId, leases: hold.leases };
}

/** What GET /v1/models shows: every name that resolves and that all allowlists cover. */
export function callableModels(
  deps: Deps,
  call: Authenticated<Credentialed>,
): { id: string; provider: string }[] {
  const lists = allowlists(call);
  return resolvableModels({
    shared: call.identity.shared,
    hasPlatformKey: (provider) => deps.platformKey(provider) !== null,
  }).filter(({ id }) => lists.every(({ list }) => allows(list, id)));
}

/** Money always belongs to a team; a key without one uses the org's default team (PLATFORM 27). */
export function teamOf(call: Authenticated<Credentialed>): string {
  const { principal, shared } = call.identity;
  return principal.teamId ?? shared.org.defaultTeamId ?? "default";
}

/** Whose money a request spends. */
export function payerOf(call: Authorized): Payer {
  const { orgId, userId, keyId } = call.identity.principal;
  const { customerId } = call.extensions;
  return {
    orgId,
    teamId: teamOf(call),
    ...(userId !== undefined && { userId }),
    ...(keyId !== undefined && { keyId }),
    ...(customerId !== undefined && { customerId }),
    group: call.model,
  };
}
