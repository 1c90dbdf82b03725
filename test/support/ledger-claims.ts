import { NOTHING, plus } from "../../worker/core/amount.ts";
import type { Amount } from "../../worker/core/amount.ts";
import type { LedgerWorld } from "./ledger-world.ts";

/** What the plain account says that every scope was charged, by window and scope. */
export function expectedOf({ charges }: LedgerWorld): Map<string, Amount> {
  const sums = new Map<string, Amount>();
  for (const { amount, windows } of charges.values()) {
    for (const [scope, windowId] of windows) {
      const key = `${windowId} ${scope}`;
      sums.set(key, plus(sums.get(key) ?? NOTHING, amount));
    }
  }
  return sums;
}

export function isNegative(amount: Amount): boolean {
  return amount.cost < 0 || amount.requests < 0 || amount.tokens < 0;
}
