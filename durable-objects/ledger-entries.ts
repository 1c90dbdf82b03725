import { chargeOf, drawFrom } from "../worker/core/account.ts";
import type {
  AbandonedDecision,
  Apart,
  LeaseRef,
  LeaseShare,
  SettleRow,
} from "../worker/core/account.ts";
import type { NanoUsd } from "../worker/core/money.ts";
import { isAmount, isNothing, least, NOTHING, plus } from "../worker/core/amount.ts";
import type { Amount } from "../worker/core/amount.ts";
import { homeOf, scopeKey, scopesOf } from "../worker/core/scope.ts";
import type { Scope } from "../worker/core/scope.ts";
import { DAY_MS } from "../worker/core/time.ts";
import { NO_USAGE } from "../worker/core/usage.ts";
import type { Charge } from "./ledger-events.ts";
import { RETENTION_MS } from "./ledger-leases.ts";
import type { Debit } from "./ledger-rows.ts";

/** One request's charge in the scopes of one ledger. */
export interface Entry {
  requestId: string;
  orgId: string;
  teamId: string | null;
  startedAt: number;
  charged: Amount;
  /** What scopes are charged instead of `charged`. */
  apart?: Apart[];
  estimated: boolean;
  holds: { scope: Scope; refs: LeaseRef[] }[];
}

export type Entered = Omit<Charge, "settledAt"> & { state: "settled" | "known" | "late" | "stale" };

export function entryOf(row: SettleRow, charged: Amount, estimated: boolean): Entry {
  const { requestId, orgId, teamId, startedAt, apart } = row;
  const holds = holdsOf(row);
  return {
    requestId,
    orgId,
    teamId,
    startedAt,
    charged,
    estimated,
    holds,
    ...(apart && { apart }),
  };
}

/** What was held here, and the scopes that follow from who called: a row without leases is charged all the same. */
function holdsOf(row: SettleRow): Entry["holds"] {
  const own = row.leases.filter(({ scope }) => homeOf(scope) === null);
  const holds = byScope(own);
  const held = new Set(holds.map(({ scope }) => scopeKey(scope)));
  for (const scope of scopesOf(row)) {
    if (homeOf(scope) === null && !held.has(scopeKey(scope))) holds.push({ scope, refs: [] });
  }
  return holds;
}

export function byScope(leases: readonly LeaseRef[]): Entry["holds"] {
  const holds = new Map<string, { scope: Scope; refs: LeaseRef[] }>();
  for (const ref of leases) {
    const key = scopeKey(ref.scope);
    const known = holds.get(key);
    if (known) known.refs.push(ref);
    else holds.set(key, { scope: ref.scope, refs: [ref] });
  }
  return [...holds.values()];
}

/** Leases of other ledgers, by the ledger. */
export function byHome(leases: readonly LeaseRef[]): Map<string, LeaseRef[]> {
  const homes = new Map<string, LeaseRef[]>();
  for (const ref of leases) {
    const home = homeOf(ref.scope);
    if (home !== null) homes.set(home, [...(homes.get(home) ?? []), ref]);
  }
  return homes;
}

/**
 * What the request held: of each scope's money the same, or the least where one had more to give than another. Model
 * groups have no say: what is held in one may be less, that of single attempts.
 */
export function reservedBy(leases: readonly LeaseRef[]): Amount {
  const money = leases.filter(
    ({ scope: { kind, meter } }) => meter === undefined && kind !== "group" && kind !== "model",
  );
  const sums = byScope(money).map(({ refs }) => reservedIn(refs));
  const [first, ...others] = sums;
  return first === undefined ? { ...NOTHING } : others.reduce(least, first);
}

export function reservedIn(refs: readonly LeaseRef[]): Amount {
  return refs.reduce<Amount>((sum, { reserved }) => plus(sum, reserved), NOTHING);
}

/**
 * Where an amount is charged in one scope: out of the leases that the request holds, each in its window, so that none bears
 * more than was lent in it; and what is beyond them in the window that admitted the request, or the `present` one.
 */
export function debitsOf(
  { startedAt: at }: Entry,
  scope: Scope,
  refs: readonly LeaseRef[],
  amount: Amount,
  present: string,
): (Debit & { overrun: NanoUsd })[] {
  const { draws, overrun } = drawFrom(refs, amount);
  const windowId = refs[0]?.windowId ?? present;
  const of = (id: string, charged: Amount) => ({ scope, at, windowId: id, amount: charged });
  // Without a lease there was no worst case that could be exceeded.
  const beyond = refs.length === 0 ? 0 : overrun.cost;
  const debits = [{ ...of(windowId, overrun), shares: [] as LeaseShare[], overrun: beyond }];
  draws.forEach(({ leaseId, amount: drawn }, n) => {
    const id = refs[n]?.windowId ?? windowId;
    let debit = debits.find((each) => each.windowId === id);
    if (!debit) {
      if (isNothing(drawn)) return;
      debits.push((debit = { ...of(id, NOTHING), shares: [], overrun: 0 }));
    }
    debit.amount = plus(debit.amount, drawn);
    debit.shares.push({ leaseId, amount: drawn });
  });
  return debits;
}

export function estimatedRow(decision: AbandonedDecision, charged: Amount): SettleRow {
  const { decidedAt, ...rest } = decision;
  return {
    ...rest,
    tags: [],
    outcome: "failure",
    status: 0,
    attempts: [],
    usage: { ...NO_USAGE, estimated: true },
    cost: charged.cost,
    startedAt: decidedAt,
    durationMs: 0,
  };
}

export function isWellFormed(row: SettleRow): boolean {
  const counts = row.attempts.flatMap(({ cost, usage }) => [
    cost,
    ...Object.values(usage).filter((each) => typeof each !== "boolean"),
  ]);
  return (
    row.requestId.length > 0 &&
    counts.every((count) => Number.isSafeInteger(count) && count >= 0) &&
    isAmount(chargeOf(row)) &&
    areFit(row.apart) &&
    (row.names ?? []).every(({ cost }) => Number.isSafeInteger(cost) && cost >= 0) &&
    areSound(row.leases)
  );
}

export function areFit(apart: readonly Apart[] = []): boolean {
  return apart.every(({ charged }) => isAmount(charged));
}

export function areSound(leases: readonly LeaseRef[]): boolean {
  return leases.every(({ reserved }) => isAmount(reserved));
}

/** A day is left for what clocks may differ. */
export function isTooOld(startedAt: number, now: number): boolean {
  return startedAt < now - RETENTION_MS + DAY_MS;
}
