import { chargeOf, drawFrom, scopeKey, scopesOf } from "../worker/core/account.ts";
import type {
  AbandonedDecision,
  Grant,
  HoldMessage,
  HoldReply,
  LeaseRef,
  OutboxItem,
  ReturnMessage,
  Scope,
  ScopeSpend,
  SettleResult,
  SettleRow,
} from "../worker/core/account.ts";
import { isAmount, minus, most, NOTHING, plus } from "../worker/core/amount.ts";
import type { Amount } from "../worker/core/amount.ts";
import { NO_USAGE } from "../worker/core/usage.ts";
import { eventIdsOf, outcomeRecord, usageEvent } from "./ledger-events.ts";
import type { Charge } from "./ledger-events.ts";
import {
  accept,
  DAY_MS,
  draw,
  emptySpend,
  estimate,
  forgetAt,
  lend,
  reclaim,
  RETENTION_MS,
  spendKey,
  spendOf,
} from "./ledger-leases.ts";
import type { WindowOf } from "./ledger-leases.ts";
import type { Debit, LedgerStorage, LedgerTables } from "./ledger-rows.ts";

/** Rows of each kind that one tick looks at. */
const TICK_ROWS = 500;

/** One window without an end: what every scope has as long as no budget defines another. */
const FOREVER: WindowOf = () => ({ id: "life", endsAt: null, revision: 0 });

/**
 * The money of one team: what is lent to isolates and what was spent. Every message may come more than once and late;
 * each mutation is one transaction, and time is what the caller says it is.
 */
export class LedgerBook {
  readonly #storage: LedgerStorage;
  readonly #windowOf: WindowOf;

  constructor(storage: LedgerStorage, windowOf: WindowOf = FOREVER) {
    this.#storage = storage;
    this.#windowOf = windowOf;
  }

  /** Lends what is asked for, all items or none. */
  hold(message: HoldMessage, now: number): HoldReply {
    return this.#storage.transact((tables) => ({
      granted: true,
      grants: message.items.map((item): Grant | null =>
        lend(tables, message.isolate, item, this.#windowOf(item.scope, now), now),
      ),
    }));
  }

  return(message: ReturnMessage, now: number): void {
    this.#storage.transact((tables) => {
      for (const item of message.items) accept(tables, message.isolate, item, now);
    });
  }

  /** Debits each row once, whatever is sent again; results in the order of the rows. */
  settle(rows: SettleRow[], now: number): SettleResult[] {
    return this.#storage.transact((tables) =>
      rows.map((row) => ({ requestId: row.requestId, state: this.#settle(tables, row, now) })),
    );
  }

  /** Charges a decision that has no outcome as reserved; its own row, should it come yet, takes the place of that. */
  settleAbandoned(decision: AbandonedDecision, now: number): SettleResult {
    const { requestId } = decision;
    return this.#storage.transact((tables) => {
      if (tables.settled.get(requestId) !== null) return { requestId, state: "known" };
      if (!areSound(decision.leases)) return { requestId, state: "refused" };
      if (isTooOld(decision.decidedAt, now)) return { requestId, state: "stale" };
      const charged = reservedBy(decision.leases);
      const row = estimatedRow(decision, charged);
      const debits = scopesOfRow(row).map((scope) => this.#charge(scope, row.leases, charged, now));
      for (const { scope, windowId, amount, shares } of debits) {
        for (const share of shares) estimate(tables, share);
        spendOf(tables, scope, windowId, ({ settled, estimated }) => ({
          settled: plus(settled, amount),
          estimated: plus(estimated, amount),
        }));
      }
      tables.settled.put(requestId, { charged, debits }, forgetAt(now, RETENTION_MS));
      const charge = { charged, delta: charged, overrun: 0, settledAt: now };
      post(tables, row, { ...charge, revision: 1, estimated: true });
      return { requestId, state: "settled" };
    });
  }

  /** What stands against scopes in their present windows; writes nothing. */
  spend(scopes: Scope[], now: number): ScopeSpend[] {
    return scopes.map((scope) => {
      const { id } = this.#windowOf(scope, now);
      return this.#storage.spendRow(spendKey(scope, id)) ?? emptySpend(scope, id);
    });
  }

  /** Reclaims and forgets what is due. True when there may be more. */
  tick(now: number): boolean {
    return this.#storage.transact((tables) => {
      const leases = tables.leases.due(now, TICK_ROWS);
      for (const leaseId of leases) reclaim(tables, leaseId);
      let more = leases.length === TICK_ROWS;
      for (const rows of [tables.messages, tables.settled]) {
        const old = rows.due(now, TICK_ROWS);
        for (const key of old) rows.drop(key);
        more ||= old.length === TICK_ROWS;
      }
      return more;
    });
  }

  nextDue(): number | null {
    return this.#storage.nextDue();
  }

  /** What has to leave, the oldest first. */
  outbox(limit: number): OutboxItem[] {
    return this.#storage.outbox(limit);
  }

  delivered(seqs: number[]): void {
    this.#storage.dropOutbox(seqs);
  }

  #settle(tables: LedgerTables, row: SettleRow, now: number): SettleResult["state"] {
    const known = tables.settled.get(row.requestId);
    if (known !== null && known.debits === undefined) return "known";
    if (!isWellFormed(row)) return "refused";
    // Whether an older one was settled is forgotten: it can't be debited without the risk of doing so twice.
    if (known === null && isTooOld(row.startedAt, now)) return "stale";
    if (known?.debits) undo(tables, known.debits);
    const charged = chargeOf(row);
    let overrun = 0;
    for (const scope of scopesOfRow(row)) {
      const charge = this.#charge(scope, row.leases, charged, now);
      for (const share of charge.shares) draw(tables, share);
      spendOf(tables, scope, charge.windowId, (spend) => ({
        settled: plus(spend.settled, charged),
        overrun: spend.overrun + charge.overrun,
      }));
      overrun = Math.max(overrun, charge.overrun);
    }
    tables.settled.put(row.requestId, { charged }, forgetAt(now, RETENTION_MS));
    post(tables, row, {
      revision: known === null ? 1 : 2,
      charged,
      delta: minus(charged, known?.charged ?? NOTHING),
      estimated: false,
      overrun,
      settledAt: now,
    });
    return known === null ? "settled" : "late";
  }

  /** Where an amount is charged: in the window that admitted the request, out of the leases that it holds. */
  #charge(scope: Scope, leases: LeaseRef[], amount: Amount, now: number) {
    const key = scopeKey(scope);
    const refs = leases.filter((ref) => scopeKey(ref.scope) === key);
    const { draws, overrun } = drawFrom(refs, amount);
    return {
      scope,
      windowId: refs[0]?.windowId ?? this.#windowOf(scope, now).id,
      amount,
      shares: draws.map(({ leaseId, amount }) => ({ leaseId, amount })),
      // Without a lease there was no worst case that could be exceeded.
      overrun: refs.length === 0 ? 0 : overrun.cost,
    };
  }
}

/** Takes an estimate back as if it had never been charged, and counts that this happened. */
function undo(tables: LedgerTables, debits: Debit[]): void {
  for (const { scope, windowId, amount, shares } of debits) {
    for (const share of shares) estimate(tables, share, true);
    spendOf(tables, scope, windowId, (spend) => ({
      settled: minus(spend.settled, amount),
      estimated: minus(spend.estimated, amount),
      late: spend.late + 1,
    }));
  }
}

function post(tables: LedgerTables, row: SettleRow, charge: Charge): void {
  const ids = eventIdsOf(row, charge.revision);
  const event = usageEvent(row, charge, ids);
  const record = outcomeRecord(row, charge, ids);
  tables.append({ seq: tables.next("outbox"), kind: "usage", event });
  tables.append({ seq: tables.next("outbox"), kind: "outcome", record });
}

/** The scopes that were held, and those that follow from who called: a row without leases is charged all the same. */
function scopesOfRow(row: SettleRow): Scope[] {
  const scopes = new Map<string, Scope>();
  for (const scope of [...row.leases.map((ref) => ref.scope), ...scopesOf(row)]) {
    scopes.set(scopeKey(scope), scope);
  }
  return [...scopes.values()];
}

/** What the request held of each scope: the same of all of them. */
function reservedBy(leases: readonly LeaseRef[]): Amount {
  const sums = new Map<string, Amount>();
  for (const { scope, reserved } of leases) {
    const key = scopeKey(scope);
    sums.set(key, plus(sums.get(key) ?? NOTHING, reserved));
  }
  return [...sums.values()].reduce(most, { ...NOTHING });
}

function estimatedRow(decision: AbandonedDecision, charged: Amount): SettleRow {
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

function isWellFormed(row: SettleRow): boolean {
  const counts = row.attempts.flatMap(({ cost, usage }) => [
    cost,
    ...Object.values(usage).filter((each) => typeof each !== "boolean"),
  ]);
  return (
    row.requestId.length > 0 &&
    counts.every((count) => Number.isSafeInteger(count) && count >= 0) &&
    isAmount(chargeOf(row)) &&
    areSound(row.leases)
  );
}

function areSound(leases: readonly LeaseRef[]): boolean {
  return leases.every(({ reserved }) => isAmount(reserved));
}

/** A day is left for what clocks may differ. */
function isTooOld(startedAt: number, now: number): boolean {
  return startedAt < now - RETENTION_MS + DAY_MS;
}
