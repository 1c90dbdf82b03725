import type { Scope } from "../worker/core/scope.ts";
import { thresholdsOf } from "../worker/core/limits.ts";
import type { Limits, ThresholdName } from "../worker/core/limits.ts";
import type { NanoUsd } from "../worker/core/money.ts";
import type { Entry } from "./ledger-entries.ts";
import { budgetRecord, resetRecord } from "./ledger-events.ts";
import { spendKey, spendOf, spendRowOf } from "./ledger-leases.ts";
import type { LedgerTables } from "./ledger-rows.ts";
import { windowOf } from "./ledger-terms.ts";
import type { Terms } from "./ledger-terms.ts";

interface Charged {
  scope: Scope;
  terms: Terms;
  entry: Pick<Entry, "orgId" | "teamId" | "requestId">;
  now: number;
}

/** Tells of the thresholds that a window has reached, of each once; `windowId` = the one that was charged. */
export function tell(tables: LedgerTables, charged: Charged & { windowId: string }): void {
  const { scope, windowId, terms, now } = charged;
  const { window, limits } = terms;
  if (limits === null || window.id !== windowId) return;
  begin(tables, charged, limits);
  const { settled } = spendRowOf(tables, scope, windowId);
  for (const threshold of thresholdsOf(limits, now)) {
    if (settled.cost >= threshold.amount) tellOnce(tables, charged, limits, threshold);
  }
}

/** Tells that a budget has too little left for a request, of the first in its window. */
export function tellRefusal(tables: LedgerTables, charged: Charged): void {
  const { limits, cheapCap } = charged.terms;
  if (limits === null || !Number.isFinite(cheapCap.cost)) return;
  begin(tables, charged, limits);
  tellOnce(tables, charged, limits, { name: "refused", amount: cheapCap.cost });
}

function tellOnce(
  tables: LedgerTables,
  { scope, terms, entry, now }: Charged,
  limits: Limits,
  threshold: { name: ThresholdName; amount: NanoUsd },
): void {
  const { window } = terms;
  const row = spendRowOf(tables, scope, window.id);
  const { told = [] } = row;
  // One that moved is another.
  const name = `${threshold.name} ${threshold.amount}`;
  if (told.includes(name)) return;
  spendOf(tables, scope, window.id, () => ({ told: [...told, name] }));
  const record = budgetRecord({ scope, row, limits, window, threshold, entry, now });
  tables.append({ seq: tables.next("outbox"), kind: "alert", record });
}

/** Tells that a budget began anew, where there was a window before this one and nothing was told in this one. */
function begin(tables: LedgerTables, { scope, terms, entry, now }: Charged, limits: Limits): void {
  if (spendRowOf(tables, scope, terms.window.id).told !== undefined) return;
  const { id, startsAt } = windowOf(limits, now);
  if (limits.maxBudget === undefined || !Number.isFinite(startsAt)) return;
  spendOf(tables, scope, id, () => ({ told: [] }));
  const before = tables.spend.get(spendKey(scope, windowOf(limits, startsAt - 1).id));
  if (before === null) return;
  const record = resetRecord({ scope, before, windowId: id, limits, entry, now });
  tables.append({ seq: tables.next("outbox"), kind: "alert", record });
}
