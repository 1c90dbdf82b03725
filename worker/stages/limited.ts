import type { Payer, Scope } from "../core/scope.ts";
import type { Authorized } from "../core/call.ts";
import type { LimitFlags } from "../core/limits.ts";

/**
 * What a request has to be held in: the team's money always, since every request has a hold somewhere, and beside it
 * every meter of every scope that limits it. Which those are, the isolate's rows tell; how much, their ledgers.
 */
export function limitedScopes(call: Authorized, payer: Payer): Scope[] {
  const { shared, key, team, user } = call.identity;
  const { orgId, teamId, userId, keyId, customerId } = payer;
  const limits = shared.limits ?? {};
  const names = [...new Set([call.chat.model, call.model])];
  const scopes: Scope[] = [{ kind: "team", id: teamId }];
  const add = (kind: Scope["kind"], id: string, flags: LimitFlags | undefined) => {
    if (flags === undefined) return;
    if (flags.budget === true && kind !== "team") scopes.push({ kind, id });
    if (flags.rate === true) scopes.push({ kind, id, meter: "rate" });
    if (flags.slots === true) scopes.push({ kind, id, meter: "slots" });
    for (const { model, ...own } of flags.models ?? []) {
      if (names.includes(model)) add("model", `${kind}:${id}/${model}`, own);
    }
  };
  add("team", teamId, team?.limits);
  add("org", orgId, limits.org);
  if (userId !== undefined) {
    add("user", userId, user?.limits);
    add("team_member", `${teamId}/${userId}`, key?.memberLimits);
  }
  if (keyId !== undefined) add("key", keyId, key?.limits);
  // Customers are too many to be known here one by one: where any is limited, all are asked for.
  if (customerId !== undefined) add("customer", customerId, limits.customers);
  for (const name of names) {
    if (limits.groups !== undefined && Object.hasOwn(limits.groups, name)) {
      add("group", name, limits.groups[name]);
    }
  }
  return scopes;
}
