import { drawFrom } from "../../worker/core/account.ts";
import { scopeKey } from "../../worker/core/scope.ts";
import type { Scope } from "../../worker/core/scope.ts";
import { NOTHING, plus } from "../../worker/core/amount.ts";
import type { Amount } from "../../worker/core/amount.ts";
import type { LedgerWorld } from "./ledger-world.ts";

/** What the plain account says that every scope was charged, by window and scope. */
export function expectedOf({ charges }: LedgerWorld): Map<string, Amount> {
  const sums = new Map<string, Amount>();
  const add = (key: string, amount: Amount) =>
    sums.set(key, plus(sums.get(key) ?? NOTHING, amount));
  for (const { amount, windows, leases } of charges.values()) {
    for (const [scope, windowId] of windows) {
      // What a request holds of a later window, since it was raised, it is charged there.
      const refs = leases.filter((ref) => scopeKey(ref.scope) === scope);
      const { draws, overrun } = drawFrom(refs, amount);
      add(`${windowId} ${scope}`, overrun);
      draws.forEach((drawn, at) => add(`${refs[at]?.windowId} ${scope}`, drawn.amount));
    }
  }
  return sums;
}

export function isNegative(amount: Amount): boolean {
  return amount.cost < 0 || amount.requests < 0 || amount.tokens < 0;
}

/** What estimates charge of a lease. */
export function estimatedOf(world: LedgerWorld, leaseId: string): Amount {
  let sum: Amount = NOTHING;
  for (const { real, leases } of world.charges.values()) {
    for (const ref of real ? [] : leases) {
      if (ref.leaseId === leaseId) sum = plus(sum, ref.reserved);
    }
  }
  return sum;
}

/** What living isolates may still spend or have spent unseen, by lease. */
export function claimsOf(world: LedgerWorld): Map<string, Amount> {
  const claims = new Map<string, Amount>();
  const claim = (leaseId: string, amount: Amount) =>
    claims.set(leaseId, plus(claims.get(leaseId) ?? NOTHING, amount));
  for (const { requestId, leases } of world.running) {
    if (world.charges.get(requestId)?.real === true) continue;
    for (const { leaseId, reserved } of leases) claim(leaseId, reserved);
  }
  for (const { memory } of world.isolates) {
    for (const row of memory.queue.values()) {
      if (world.charges.get(row.requestId)?.real === true) continue;
      const [attempt] = row.attempts;
      const charge = { cost: attempt?.cost ?? 0, requests: 1, tokens: attempt?.usage.input ?? 0 };
      const scopes = new Set(row.leases.map(({ scope }) => scopeKey(scope)));
      for (const key of scopes) {
        const refs = row.leases.filter(({ scope }) => scopeKey(scope) === key);
        for (const { leaseId, amount } of drawFrom(refs, charge).draws) claim(leaseId, amount);
      }
    }
  }
  return claims;
}

/** The sum over all windows of a scope. */
export function totalOf(
  world: LedgerWorld,
  scope: Scope,
  of: "outstanding" | "unattributed" | "estimated",
): Amount {
  let sum: Amount = NOTHING;
  for (const { row } of world.storage.spend.rows.values()) {
    if (scopeKey(row.scope) === scopeKey(scope)) sum = plus(sum, row[of]);
  }
  return sum;
}
