import type { SettleRow, Spent } from "../worker/core/account.ts";
import { homeOf, scopeKey, scopesOf } from "../worker/core/scope.ts";
import type { Scope } from "../worker/core/scope.ts";
import type { Definition, Limits } from "../worker/core/limits.ts";
import type { NanoUsd } from "../worker/core/money.ts";
import { DAY_MS } from "../worker/core/time.ts";
import { overlap } from "../worker/core/windows.ts";
import type { Span } from "../worker/core/windows.ts";
import { minus, NOTHING } from "../worker/core/amount.ts";
import { estimate, forgetAt, spendOf } from "./ledger-leases.ts";
import { termsOf, windowOf } from "./ledger-terms.ts";
import type { Terms } from "./ledger-terms.ts";
import type { Debit, LedgerTables } from "./ledger-rows.ts";

/** Every zone's days and hours begin at a multiple of it. */
const QUARTER_MS = 900_000;
/** Three months of 31 days, and what clocks may differ. */
const KEPT_MS = 95 * DAY_MS;
/** A message's entries: many messages have to fit into one statement. */
const MESSAGE_ENTRIES = 200;
const DIGITS = 10;
const TOTAL = "total";
/** Without limits there is one window. */
const FOR_EVER = { timeZone: "UTC", since: 0 };

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
  for (const each of [quarter, null]) {
    const key = pastKey(scope, each);
    const sum = (tables.past.get(key)?.cost ?? 0) + cost;
    tables.past.put(key, { scope, quarter: each, cost: sum }, each === null ? null : due);
  }
}

/**
 * What a scope spent in a window so far. Quarters of an hour that reach into it count whole, so it is exact where a window
 * begins with one, and never too little; of windows that are longer than 95 days the last 95 are known.
 */
function spentIn(
  tables: Pick<LedgerTables, "past">,
  scope: Scope,
  window: Pick<Span, "startsAt" | "endsAt">,
): NanoUsd {
  if (!Number.isFinite(window.startsAt)) {
    return tables.past.get(pastKey(scope, null))?.cost ?? 0;
  }
  const from = Math.floor(window.startsAt / QUARTER_MS);
  const to = window.endsAt === null ? Infinity : Math.ceil(window.endsAt / QUARTER_MS);
  const last = Math.min(to, 10 ** DIGITS - 1);
  // A name may go on where another ends: rows tell whose they are.
  return tables.past
    .between(pastKey(scope, from), pastKey(scope, last))
    .filter((row) => scopeKey(row.scope) === scopeKey(scope))
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

/** Puts what was spent into the outbox, for the ledger that it belongs to. */
export function send(
  tables: Pick<LedgerTables, "next" | "append">,
  { orgId, from, to }: NonNullable<Definition["moved"]>,
  spent: readonly Spent[],
): void {
  for (let at = 0; at < spent.length; at += MESSAGE_ENTRIES) {
    const some = spent.slice(at, at + MESSAGE_ENTRIES);
    const seq = tables.next("outbox");
    tables.append({ seq, kind: "spent", orgId, home: to, from, spent: some });
  }
}

/** The same of a scope that lives elsewhere by now; false where it does not. */
export function sendOn(tables: LedgerTables, spent: Spent): boolean {
  const moved = tables.definitions.get(scopeKey(spent.scope))?.moved;
  if (moved && spent.cost !== 0) send(tables, moved, [spent]);
  return moved !== undefined;
}

/** Takes an estimate back as if it had never been charged, and counts that this happened. */
export function undo(
  tables: LedgerTables,
  debits: readonly Debit[],
  termsOf: (scope: Scope) => Terms,
  now: number,
): void {
  for (const { scope, windowId, amount, at, shares } of debits) {
    for (const share of shares) estimate(tables, share, true);
    const spent = { scope, at, cost: -amount.cost };
    if (scope.meter === undefined && sendOn(tables, spent)) continue;
    spendOf(tables, scope, windowId, (spend) => ({
      settled: minus(spend.settled, amount),
      estimated: minus(spend.estimated, amount),
      late: spend.late + 1,
    }));
    if (scope.meter !== undefined) continue;
    note(tables, spent, now);
    countAgain(tables, { ...spent, windowId }, termsOf(scope), now);
  }
}

/** Where a scope's window is another than before, what was spent in it stands against the new limits. */
export function countPast(
  tables: LedgerTables,
  known: Definition | null,
  { scope, limits, moved }: Definition,
  now: number,
): void {
  // What was never limited is counted from the beginning; what moves away takes all that it spent along.
  if (moved !== undefined || (limits === null && !known?.limits)) return;
  const window = windowOf(limits ?? FOR_EVER, now);
  if (known?.limits && windowOf(known.limits, now).id === window.id) return;
  const cost = spentIn(tables, scope, window);
  // Of a longer window than is kept, what it has settled itself may be more.
  const isWhole = !Number.isFinite(window.startsAt) || window.startsAt > now - KEPT_MS;
  spendOf(tables, scope, window.id, ({ settled }) => ({
    settled: { ...settled, cost: isWhole ? cost : Math.max(settled.cost, cost) },
  }));
}

/**
 * Charges what a window has settled that earlier limits gave in the present window too, where that is another one: the
 * request was admitted before the limits changed and ended after.
 */
export function countAgain(
  tables: LedgerTables,
  { scope, windowId, at, cost }: Spent & { windowId: string },
  { window, limits }: Terms,
  now: number,
): void {
  if (cost === 0 || window.id === windowId || !overlap(window.id, windowId)) return;
  if (limits !== null && !isOfWindow(limits, at, now)) return;
  spendOf(tables, scope, window.id, ({ settled }) => ({
    settled: { ...settled, cost: Math.max(0, settled.cost + cost) },
  }));
}

/** True where a scope's present window reaches over what began then, or over a part of its quarter. */
export function isOfWindow(limits: Limits, at: number, now: number): boolean {
  return at + QUARTER_MS > windowOf(limits, now).startsAt;
}

/** Sends what a scope that moves spent to the ledger that it lives in from now on. */
export function moveOut(
  tables: LedgerTables,
  known: Definition | null,
  { scope, moved }: Definition,
  now: number,
): void {
  if (moved === undefined) return;
  send(tables, moved, takePast(tables, scope));
  const windows = [termsOf(scope, known, now).window.id, windowOf(FOR_EVER, now).id];
  for (const id of new Set(windows)) spendOf(tables, scope, id, () => ({ settled: NOTHING }));
}

/** Takes out everything that a scope spent, and models within it, so that another ledger may have it. */
function takePast(tables: Pick<LedgerTables, "past">, scope: Scope): Spent[] {
  const key = scopeKey(scope);
  const own = tables.past
    .between(`${key} `, `${key}!`)
    .filter((row) => scopeKey(row.scope) === key);
  const rows = [...own, ...tables.past.between(`model:${key}/`, `model:${key}0`)];
  const spent: Spent[] = [];
  const older = new Map<string, Spent>();
  for (const { scope: of, quarter, cost } of rows) {
    tables.past.drop(pastKey(of, quarter));
    const known = older.get(scopeKey(of)) ?? { scope: of, at: 0, cost: 0 };
    older.set(scopeKey(of), { ...known, cost: known.cost + (quarter === null ? cost : -cost) });
    if (quarter !== null) spent.push({ scope: of, at: quarter * QUARTER_MS, cost });
  }
  // What the quarters do not hold any more counts for what never begins anew.
  return [...spent, ...[...older.values()].filter(({ cost }) => cost !== 0)];
}

/** Number of the quarter, null = the sum of all that there ever was. */
function pastKey(scope: Scope, quarter: number | null): string {
  const digits = quarter === null ? TOTAL : String(quarter).padStart(DIGITS, "0");
  return `${scopeKey(scope)} ${digits}`;
}
