import type { SettleRow, Spent } from "../worker/core/account.ts";
import { homeOf, scopeKey, scopesOf } from "../worker/core/scope.ts";
import type { Scope } from "../worker/core/scope.ts";
import type { Definition } from "../worker/core/limits.ts";
import type { NanoUsd } from "../worker/core/money.ts";
import type { Span } from "../worker/core/windows.ts";
import { minus, most, NOTHING } from "../worker/core/amount.ts";
import { DAY_MS, estimate, forgetAt, spendOf } from "./ledger-leases.ts";
import { windowOf } from "./ledger-terms.ts";
import type { Debit, LedgerTables } from "./ledger-rows.ts";

/** Every zone's days and hours begin at a multiple of it. */
const QUARTER_MS = 900_000;
/** Three months of 31 days, and what clocks may differ. */
const KEPT_MS = 95 * DAY_MS;
const DIGITS = 10;
const TOTAL = "total".padEnd(DIGITS, " ");

/**
 * Notes what a scope spent, limited or not: a limit that it is given later counts that. `at` = when the request began, Unix
 * milliseconds. A negative cost takes back what was noted.
 */
export function note(
  tables: Pick<LedgerTables, "past">,
  { scope, at, cost }: Spent,
  now: number,
): void {
  if (cost === 0) return;
  const quarter = Math.floor(Math.min(at, now) / QUARTER_MS);
  const due = forgetAt(quarter * QUARTER_MS, KEPT_MS);
  for (const [key, until] of [
    [pastKey(scope, quarter), due],
    [`${scopeKey(scope)} ${TOTAL}`, null],
  ] as const) {
    tables.past.put(key, { cost: (tables.past.get(key)?.cost ?? 0) + cost }, until);
  }
}

/**
 * What a scope spent in a window so far. Quarters of an hour that reach into it count whole, so it is exact where a window
 * begins with one, and never too little; of windows that are longer than 95 days the last 95 are known.
 */
export function spentIn(
  tables: Pick<LedgerTables, "past">,
  scope: Scope,
  window: Pick<Span, "startsAt" | "endsAt">,
): NanoUsd {
  if (!Number.isFinite(window.startsAt)) {
    return tables.past.get(`${scopeKey(scope)} ${TOTAL}`)?.cost ?? 0;
  }
  const from = Math.floor(window.startsAt / QUARTER_MS);
  const to = window.endsAt === null ? Infinity : Math.ceil(window.endsAt / QUARTER_MS);
  const last = Math.min(to, 10 ** DIGITS - 1);
  return tables.past
    .between(pastKey(scope, from), pastKey(scope, last))
    .reduce((sum, { cost }) => sum + cost, 0);
}

/**
 * All that a row spent in scopes that no lease of it names and that are not charged by what they are: those of other
 * ledgers, model groups, and models within each scope. By the ledger, null = the team's own.
 */
export function spentApart(row: SettleRow): Map<string | null, Spent[]> {
  const held = new Set(row.leases.map(({ scope }) => scopeKey(scope)));
  const { group: _, ...payer } = row;
  const scopes = scopesOf(payer);
  const borne = scopes
    .filter((scope) => homeOf(scope) !== null)
    .map((scope) => ({ scope, cost: row.attempts.reduce((sum, { cost }) => sum + cost, 0) }));
  for (const { name, cost } of row.names ?? []) {
    borne.push({ scope: { kind: "group", id: name }, cost });
    for (const { kind, id } of scopes) {
      borne.push({ scope: { kind: "model", id: `${kind}:${id}/${name}` }, cost });
    }
  }
  return Map.groupBy(
    borne
      .filter(({ scope, cost }) => cost > 0 && !held.has(scopeKey(scope)))
      .map((each) => ({ ...each, at: row.startedAt })),
    ({ scope }) => homeOf(scope),
  );
}

/** The same in fewer entries: one per scope and quarter of an hour. */
export function summed(spent: readonly Spent[]): Spent[] {
  const sums = new Map<string, Spent>();
  for (const each of spent) {
    const at = Math.floor(each.at / QUARTER_MS) * QUARTER_MS;
    const key = `${at} ${scopeKey(each.scope)}`;
    sums.set(key, { ...each, at, cost: each.cost + (sums.get(key)?.cost ?? 0) });
  }
  return [...sums.values()];
}

/** Takes an estimate back as if it had never been charged, and counts that this happened. */
export function undo(tables: LedgerTables, debits: readonly Debit[], now: number): void {
  for (const { scope, windowId, amount, at, shares } of debits) {
    for (const share of shares) estimate(tables, share, true);
    spendOf(tables, scope, windowId, (spend) => ({
      settled: minus(spend.settled, amount),
      estimated: minus(spend.estimated, amount),
      late: spend.late + 1,
    }));
    if (scope.meter === undefined) note(tables, { scope, at, cost: -amount.cost }, now);
  }
}

/** Where a scope's window is another than before, what was spent in it stands against the new limits. */
export function countPast(
  tables: LedgerTables,
  known: Definition | null,
  { scope, limits }: Definition,
  now: number,
): void {
  if (limits === null) return;
  const window = windowOf(limits, now);
  if (known?.limits && windowOf(known.limits, now).id === window.id) return;
  const spent = { ...NOTHING, cost: spentIn(tables, scope, window) };
  spendOf(tables, scope, window.id, ({ settled }) => ({ settled: most(settled, spent) }));
}

function pastKey(scope: Scope, quarter: number): string {
  return `${scopeKey(scope)} ${String(quarter).padStart(DIGITS, "0")}`;
}
