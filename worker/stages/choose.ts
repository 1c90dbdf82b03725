import type { Authenticated, Authorized, Chosen, Credentialed, Dropped } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import type { Deps } from "../core/ports.ts";
import { lackOf, needsOf } from "../routing/capability.ts";
import { shuffled } from "../routing/order.ts";
import { allows, resolvableModels, resolve, shortName } from "../providers/resolve.ts";
import { allowlists } from "./authorize.ts";
import { hold } from "./hold.ts";

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
  const held = await hold(deps, call, plan);
  const tooDear = new Set(held.dropped.map((each) => each.deployment));
  return {
    ...call,
    plan: plan.filter((each) => !tooDear.has(each.id)),
    dropped: [...dropped, ...held.dropped],
    seed,
    holdId: held.holdId,
    leases: held.leases,
  };
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
