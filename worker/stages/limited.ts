import { chargeOf } from "../core/account.ts";
import type { Apart, AttemptRow } from "../core/account.ts";
import type { Authorized, Chosen } from "../core/call.ts";
import type { LimitFlags } from "../core/limits.ts";
import type { NanoUsd } from "../core/money.ts";
import { scopeKey } from "../core/scope.ts";
import type { Payer, Scope } from "../core/scope.ts";

/**
 * What a request has to be held in: the team's money always, since every request has a hold somewhere, and beside it
 * every meter of every scope that limits it. Which those are, the isolate's rows tell; how much, their ledgers. Limits of
 * a model group are those of the `group` that serves; a name that stands for no group has its own beside them.
 */
export function limitedScopes(call: Authorized, payer: Payer, group: string): Scope[] {
  const { shared, key, team, user } = call.identity;
  const { orgId, teamId, userId, keyId, customerId } = payer;
  const limits = shared.limits ?? {};
  const names = namesOf(call, group);
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

/** The names under which an attempt in a group is limited. */
function namesOf(call: Authorized, group: string): string[] {
  const asked = [call.chat.model, call.model];
  if (asked.every((name) => name === group)) return [group];
  const { deployments } = call.identity.shared;
  const others = asked.filter((name) => deployments.every((each) => each.group !== name));
  return [...new Set([group, ...others])];
}

/** What each name bears that attempts are limited under, limited or not: of all only those in its group. */
export function namesBorne(
  call: Chosen,
  attempts: readonly AttemptRow[],
): { name: string; cost: NanoUsd }[] {
  const groupOf = new Map(call.plan.map(({ deployment, group }) => [deployment.id, group]));
  const costs = new Map<string, NanoUsd>();
  for (const { deployment, cost } of attempts) {
    for (const name of namesOf(call, groupOf.get(deployment) ?? call.model)) {
      costs.set(name, (costs.get(name) ?? 0) + cost);
    }
  }
  return [...costs].map(([name, cost]) => ({ name, cost }));
}

/**
 * What the limits of model groups, and those on single models, have to bear of a request's attempts: of all only those
 * in their own group. A scope that bears them all is left out.
 */
export function apartOf(call: Chosen, payer: Payer, attempts: readonly AttemptRow[]): Apart[] {
  const groups = [...new Set(call.plan.map(({ group }) => group))];
  const groupOf = new Map(call.plan.map(({ deployment, group }) => [deployment.id, group]));
  const own = new Map<string, { scope: Scope; groups: string[] }>();
  for (const group of groups) {
    for (const { kind, id } of limitedScopes(call, payer, group)) {
      if (kind !== "group" && kind !== "model") continue;
      const key = scopeKey({ kind, id });
      const known = own.get(key);
      if (known) known.groups.push(group);
      else own.set(key, { scope: { kind, id }, groups: [group] });
    }
  }
  return [...own.values()].flatMap(({ scope, groups }) => {
    const borne = attempts.filter(({ deployment }) =>
      groups.includes(groupOf.get(deployment) ?? call.model),
    );
    return borne.length === attempts.length
      ? []
      : [{ scope, charged: chargeOf({ attempts: borne }) }];
  });
}
