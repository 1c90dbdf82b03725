import { scopeKey } from "../worker/core/account.ts";
import type { Grant, HoldItem, LeaseShare, ReturnItem, Scope } from "../worker/core/account.ts";
import { beyond, isNothing, minus, NOTHING, plus } from "../worker/core/amount.ts";
import type { Amount } from "../worker/core/amount.ts";
import type { LeaseRow, LedgerTables, SpendRow } from "./ledger-rows.ts";

/** How long an isolate may admit from a lease, counted by itself from before it asked. */
export const LEASE_TTL_MS = 4_000;
/** The longest request; a hold of a running one is never reclaimed. */
const LONGEST_REQUEST_MS = 600_000;
/** What clocks may differ in their pace over that time, and messages be late. */
const MARGIN_MS = 60_000;
/** After this time a lease is not extended but followed by a new one: what got lost on it can be reclaimed then. */
const LEASE_AGE_MS = 600_000;
const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
/** Settled request ids and reclaimed leases are remembered for so long. */
export const RETENTION_MS = 30 * DAY_MS;
/** No message of an isolate is under way longer. */
const MESSAGE_MS = DAY_MS;

/** A scope's window and definition at a time: only the ledger tells which one it is (PLATFORM 19, 24). */
export interface Window {
  id: string;
  /** Unix milliseconds; null = never. */
  endsAt: number | null;
  revision: number;
}

export type WindowOf = (scope: Scope, now: number) => Window;

/** The time of forgetting, rounded up so that much is forgotten at once. */
export function forgetAt(now: number, afterMs: number): number {
  return Math.ceil((now + afterMs) / HOUR_MS) * HOUR_MS;
}

export function spendKey(scope: Scope, windowId: string): string {
  return `${windowId} ${scopeKey(scope)}`;
}

export function emptySpend(scope: Scope, windowId: string): SpendRow {
  const nothing = { settled: NOTHING, outstanding: NOTHING, unattributed: NOTHING };
  return { scope, windowId, ...nothing, estimated: NOTHING, overrun: 0, late: 0 };
}

/** Changes the row of a scope in a window. */
export function spendOf(
  tables: LedgerTables,
  scope: Scope,
  windowId: string,
  change: (row: SpendRow) => Partial<SpendRow>,
): void {
  const key = spendKey(scope, windowId);
  const row = tables.spend.get(key) ?? emptySpend(scope, windowId);
  tables.spend.put(key, { ...row, ...change(row) }, null);
}

/** Answers one item; the same answer for the same message, null for one that a newer message overtook. */
export function lend(
  tables: LedgerTables,
  isolate: string,
  item: HoldItem,
  window: Window,
  now: number,
): Grant | null {
  const known = tables.messages.get(messageKey(isolate, item.scope));
  if (known !== null && item.n <= known.n) return item.n === known.n ? known.grant : null;
  takeBack(tables, isolate, item);
  const ttlMs = Math.min(LEASE_TTL_MS, (window.endsAt ?? Infinity) - now);
  const earlier = item.leaseId === null ? null : tables.leases.get(item.leaseId);
  const lease =
    earlier !== null && mayGoOn(earlier, isolate, item.scope, window, now)
      ? earlier
      : newLease(tables, isolate, item.scope, window, now);
  change(tables, lease, {
    grantedAt: now,
    ttlMs,
    lent: plus(lease.lent, item.want),
    left: plus(lease.left, item.want),
  });
  const grant: Grant = {
    n: item.n,
    leaseId: lease.leaseId,
    windowId: window.id,
    revision: window.revision,
    lent: item.want,
    ttlMs,
  };
  remember(tables, isolate, item, grant, now);
  return grant;
}

/** Takes what an isolate returns, once. */
export function accept(tables: LedgerTables, isolate: string, item: ReturnItem, now: number): void {
  const known = tables.messages.get(messageKey(isolate, item.scope));
  if (known !== null && item.n <= known.n) return;
  takeBack(tables, isolate, item);
  remember(tables, isolate, item, null, now);
}

/** Takes from what is left of a lease; one that is gone has nothing left. */
export function draw(tables: LedgerTables, { leaseId, amount }: LeaseShare): void {
  const lease = tables.leases.get(leaseId);
  if (lease !== null) change(tables, lease, { left: beyond(lease.left, amount) });
}

/** Notes that an estimate charges so much of what is left of a lease; `undone` takes the note back. */
export function estimate(
  tables: LedgerTables,
  { leaseId, amount }: LeaseShare,
  undone = false,
): void {
  const lease = tables.leases.get(leaseId);
  if (lease === null) return;
  const { estimated } = lease;
  change(tables, lease, { estimated: (undone ? minus : plus)(estimated, amount) });
}

/** Frees what is left of a lease when nobody can account for it any more; how much that was stays visible. */
export function reclaim(tables: LedgerTables, leaseId: string): void {
  const lease = tables.leases.get(leaseId);
  if (lease === null) return;
  if (lease.reclaimed || isNothing(lease.left)) tables.leases.drop(leaseId);
  else change(tables, lease, { reclaimed: true });
}

/** What stands against the scope because of a lease: an amount that an estimate charged is not counted twice. */
export function standing(lease: Pick<LeaseRow, "left" | "estimated">): Amount {
  return beyond(lease.left, lease.estimated);
}

/** Changes a lease, and with it what stands in its window. */
function change(tables: LedgerTables, lease: LeaseRow, to: Partial<LeaseRow>): void {
  const changed = { ...lease, ...to };
  const due = reclaimAt(changed);
  tables.leases.put(lease.leaseId, changed, changed.reclaimed ? forgetAt(due, RETENTION_MS) : due);
  const before = lease.reclaimed ? "unattributed" : "outstanding";
  const after = changed.reclaimed ? "unattributed" : "outstanding";
  spendOf(tables, lease.scope, lease.windowId, (row) => {
    const less = { ...row, [before]: minus(row[before], standing(lease)) };
    return { ...less, [after]: plus(less[after], standing(changed)) };
  });
}

function takeBack(tables: LedgerTables, isolate: string, item: ReturnItem): void {
  for (const share of item.give) {
    const lease = tables.leases.get(share.leaseId);
    if (lease?.isolate === isolate && scopeKey(lease.scope) === scopeKey(item.scope)) {
      draw(tables, share);
    }
  }
}

function mayGoOn(
  lease: LeaseRow,
  isolate: string,
  scope: Scope,
  window: Window,
  now: number,
): boolean {
  return (
    !lease.reclaimed &&
    lease.isolate === isolate &&
    scopeKey(lease.scope) === scopeKey(scope) &&
    lease.windowId === window.id &&
    lease.revision === window.revision &&
    now - lease.since < LEASE_AGE_MS
  );
}

function newLease(
  tables: LedgerTables,
  isolate: string,
  scope: Scope,
  window: Window,
  now: number,
): LeaseRow {
  return {
    leaseId: tables.next("lease").toString(36),
    isolate,
    scope,
    windowId: window.id,
    revision: window.revision,
    since: now,
    grantedAt: now,
    ttlMs: 0,
    lent: NOTHING,
    left: NOTHING,
    estimated: NOTHING,
    reclaimed: false,
  };
}

function reclaimAt(lease: LeaseRow): number {
  return lease.grantedAt + lease.ttlMs + LONGEST_REQUEST_MS + MARGIN_MS;
}

function remember(
  tables: LedgerTables,
  isolate: string,
  { n, scope }: ReturnItem,
  grant: Grant | null,
  now: number,
): void {
  tables.messages.put(messageKey(isolate, scope), { n, grant }, forgetAt(now, MESSAGE_MS));
}

function messageKey(isolate: string, scope: Scope): string {
  return `${isolate} ${scopeKey(scope)}`;
}
