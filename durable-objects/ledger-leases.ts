import { scopeKey } from "../worker/core/scope.ts";
import type { Grant, HoldItem, LeaseShare, ReturnItem } from "../worker/core/account.ts";
import type { Scope } from "../worker/core/scope.ts";
import {
  beyond,
  covers,
  isNothing,
  least,
  minus,
  NOTHING,
  plus,
  times,
} from "../worker/core/amount.ts";
import type { Amount } from "../worker/core/amount.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../worker/core/time.ts";
import type { LeaseRow, LedgerTables, SpendRow } from "./ledger-rows.ts";
import { roomBelowNext, standingOf, viewOf } from "./ledger-terms.ts";
import type { Terms, Window } from "./ledger-terms.ts";

/** How long an isolate may admit from a lease, counted by itself from before it asked. */
export const LEASE_TTL_MS = 4_000;
/** The longest request; a hold of a running one is never reclaimed. */
const LONGEST_REQUEST_MS = 600_000;
/** What clocks may differ in their pace over that time, and messages be late. */
const MARGIN_MS = 60_000;
/** After this time a lease is not extended but followed by a new one: what got lost on it can be reclaimed then. */
const LEASE_AGE_MS = 600_000;
/** Settled request ids and reclaimed leases are remembered for so long. */
export const RETENTION_MS = 30 * DAY_MS;
/** No message of an isolate is under way longer. */
const MESSAGE_MS = DAY_MS;

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
  const row = spendRowOf(tables, scope, windowId);
  const due = scope.meter === "rate" ? rateForgetAt(windowId) : null;
  tables.spend.put(spendKey(scope, windowId), { ...row, ...change(row) }, due);
}

export function spendRowOf(tables: LedgerTables, scope: Scope, windowId: string): SpendRow {
  return tables.spend.get(spendKey(scope, windowId)) ?? emptySpend(scope, windowId);
}

/** A minute's row is of use until the longest request that it admitted has ended. */
function rateForgetAt(windowId: string): number {
  return Number(windowId.slice(1)) * MINUTE_MS + HOUR_MS;
}

/** How the lender sees one scope at the time of a message. */
export interface Lending {
  terms: Terms;
  /** Isolates that have a slice of it, the asking one among them. */
  holders: number;
  /** Requests wait for what is left: nothing is lent in advance. */
  closed: boolean;
}

/** Answers one item; the same answer for the same message, null for one that a newer message overtook. */
export function lend(
  tables: LedgerTables,
  isolate: string,
  item: HoldItem,
  { terms, holders, closed }: Lending,
  now: number,
): Grant | null {
  const known = tables.messages.get(messageKey(isolate, item.scope));
  if (known !== null && item.n <= known.n) return item.n === known.n ? known.grant : null;
  takeBack(tables, isolate, item);
  const { window } = terms;
  const ttlMs = Math.min(LEASE_TTL_MS, (window.endsAt ?? Infinity) - now);
  const standing = standingOf(spendRowOf(tables, item.scope, window.id));
  const { lent, tight } = closed
    ? { lent: NOTHING, tight: true }
    : sliceOf(item, roomBelowNext(terms, standing, now), holders);
  const earlier = item.leaseId === null ? null : tables.leases.get(item.leaseId);
  const lease =
    earlier !== null && mayGoOn(earlier, isolate, item.scope, window, now)
      ? earlier
      : newLease(tables, isolate, item.scope, window, now);
  change(tables, lease, {
    grantedAt: now,
    ttlMs,
    longestMs: Math.max(lease.longestMs, item.longestMs),
    lent: plus(lease.lent, lent),
    left: plus(lease.left, lent),
  });
  const grant = grantOf(lease, item.n, lent, ttlMs, tight);
  grant.view = viewOf(item.scope, terms, spendRowOf(tables, item.scope, window.id), now);
  remember(tables, isolate, item, grant, now);
  return grant;
}

/**
 * What is lent in advance: what was asked for, but no more than the isolate's part of half the room. Where that is less
 * than two requests may need, it is nothing: near a limit each request is held by itself (PLATFORM 20).
 */
function sliceOf(
  { want, worst }: HoldItem,
  room: Amount,
  holders: number,
): { lent: Amount; tight: boolean } {
  const part = (of: number) => Math.floor(of / (2 * holders));
  const share = { cost: part(room.cost), requests: part(room.requests), tokens: part(room.tokens) };
  const lent = least(want, share);
  return covers(lent, least(want, times(worst, 2)))
    ? { lent, tight: false }
    : { lent: NOTHING, tight: true };
}

/** A lease for one request, between what it asks for and what would do; the caller has seen that there is room. */
export function lendSingle(
  tables: LedgerTables,
  isolate: string,
  scope: Scope,
  { terms, lent, longestMs }: { terms: Terms; lent: Amount; longestMs: number },
  now: number,
): Grant {
  const lease = newLease(tables, isolate, scope, terms.window, now);
  change(tables, lease, { lent, left: lent, longestMs, single: true });
  const grant = grantOf(lease, 0, lent, longestMs, true);
  grant.view = viewOf(scope, terms, spendRowOf(tables, scope, terms.window.id), now);
  return grant;
}

/** Ends a lease of one request: what is left of it is free. */
export function endSingle(tables: LedgerTables, leaseId: string): void {
  const lease = tables.leases.get(leaseId);
  if (lease?.single !== true) return;
  change(tables, lease, { left: NOTHING, estimated: NOTHING });
  tables.leases.drop(leaseId);
}

function grantOf(
  { leaseId, windowId, revision }: LeaseRow,
  n: number,
  lent: Amount,
  ttlMs: number,
  tight: boolean,
): Grant {
  return { n, leaseId, windowId, revision, lent, ttlMs, tight, view: null };
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
  if (lease.reclaimed || isNothing(lease.left) || lease.scope.meter !== undefined) {
    // Of a minute or a slot nothing is owed to anybody later.
    if (!lease.reclaimed) change(tables, lease, { left: NOTHING, estimated: NOTHING });
    tables.leases.drop(leaseId);
  } else change(tables, lease, { reclaimed: true });
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
    longestMs: 0,
    lent: NOTHING,
    left: NOTHING,
    estimated: NOTHING,
    reclaimed: false,
  };
}

/** A slot comes back half a minute after its request's own end (PLATFORM 25). */
const SLOT_MARGIN_MS = 30_000;

function reclaimAt(lease: LeaseRow): number {
  if (lease.scope.meter === "slots") {
    return lease.grantedAt + lease.ttlMs + lease.longestMs + SLOT_MARGIN_MS;
  }
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
