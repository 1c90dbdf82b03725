import type { Scope } from "../worker/core/scope.ts";
import { thresholdsOf } from "../worker/core/limits.ts";
import type { Limits } from "../worker/core/limits.ts";
import type { Entry } from "./ledger-entries.ts";
import { budgetRecord, resetRecord } from "./ledger-events.ts";
import { spendKey, spendOf, spendRowOf } from "./ledger-leases.ts";
import type { LedgerTables } from "./ledger-rows.ts";
import { windowOf } from "./ledger-terms.ts";
import type { Terms } from "./ledger-terms.ts";

interface Charged {
  scope: Scope;
  /** The window that was charged. */
  windowId: string;
  terms: Terms;
  entry: Entry;
  now: number;
}

/** Tells of the thresholds that a window has reached, of each once. */
export function tell(tables: LedgerTables, charged: Charged): void {
  const { scope, windowId, terms, entry, now } = charged;
  const { window, limits } = terms;
  if (limits === null || window.id !== windowId) return;
  const row = spendRowOf(tables, scope, windowId);
  if (row.told === undefined) begin(tables, charged, limits);
  const { told = [] } = row;
  const reached = thresholdsOf(limits, now).filter(
    ({ name, amount }) => row.settled.cost >= amount && !told.includes(name),
  );
  if (reached.length === 0) return;
  spendOf(tables, scope, windowId, () => ({
    told: [...told, ...reached.map(({ name }) => name)],
  }));
  for (const threshold of reached) {
    const record = budgetRecord({ scope, row, limits, window, threshold, entry, now });
    tables.append({ seq: tables.next("outbox"), kind: "alert", record });
  }
}

/** Tells that a budget began anew, where there was a window before this one. */
function begin(tables: LedgerTables, { scope, entry, now }: Charged, limits: Limits): void {
  const { id, startsAt } = windowOf(limits, now);
  if (limits.maxBudget === undefined || !Number.isFinite(startsAt)) return;
  spendOf(tables, scope, id, () => ({ told: [] }));
  const before = tables.spend.get(spendKey(scope, windowOf(limits, startsAt - 1).id));
  if (before === null) return;
  const record = resetRecord({ scope, before, windowId: id, limits, entry, now });
  tables.append({ seq: tables.next("outbox"), kind: "alert", record });
}
