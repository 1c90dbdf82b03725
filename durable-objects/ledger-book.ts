import { chargeIn, chargeOf } from "../worker/core/account.ts";
import type {
  AbandonedDecision,
  ForeignDebit,
  Grant,
  HoldMessage,
  HoldReply,
  OutboxItem,
  ReturnMessage,
  ScopeSpend,
  SettleResult,
  SettleRow,
  SingleMessage,
  SingleReply,
  Spent,
  SpentMessage,
} from "../worker/core/account.ts";
import { isAmount, least, minus, NOTHING, plus } from "../worker/core/amount.ts";
import type { Definition } from "../worker/core/limits.ts";
import { scopeKey } from "../worker/core/scope.ts";
import type { Scope } from "../worker/core/scope.ts";
import { HOUR_MS } from "../worker/core/time.ts";
import {
  areFit,
  areSound,
  byHome,
  byScope,
  debitsOf,
  entryOf,
  estimatedRow,
  isTooOld,
  isWellFormed,
  reservedBy,
  reservedIn,
} from "./ledger-entries.ts";
import type { Entered, Entry } from "./ledger-entries.ts";
import { eventIdsOf, outcomeRecord, usageEvent } from "./ledger-events.ts";
import {
  accept,
  draw,
  emptySpend,
  endSingle,
  estimate,
  forgetAt,
  LEASE_TTL_MS,
  lend,
  reclaim,
  RETENTION_MS,
  spendKey,
  spendOf,
} from "./ledger-leases.ts";
import { tell } from "./ledger-alerts.ts";
import {
  countAgain,
  countPast,
  isOfWindow,
  moveOut,
  note,
  send,
  sendOn,
  spentApart,
  summed,
  undo,
} from "./ledger-past.ts";
import type { Debit, LedgerStorage, LedgerTables } from "./ledger-rows.ts";
import { holdSingle } from "./ledger-singles.ts";
import { definitionKey, viewOf } from "./ledger-terms.ts";
import { TermsInForce } from "./ledger-terms-in-force.ts";

/** Rows of each kind that one tick looks at. */
const TICK_ROWS = 500;
const METERS = [undefined, "rate", "slots"] as const;
const NONE: ReadonlySet<string> = new Set();
/** What rows of one call spent without leases, by the ledger that has to hear of it. */
type Elsewhere = Map<string, Spent[]>;
/** What the lender keeps in memory of who has slices: how it divides what is left, no more than that. */
type Holders = Map<string, Map<string, number>>;

/**
 * The money of one team, or of what spans teams: its limits, what is lent to isolates and what was spent. Every message
 * may come more than once and late; each mutation is one transaction, and time is what the caller says it is.
 */
export class LedgerBook {
  readonly #storage: LedgerStorage;
  readonly #holders: Holders = new Map();
  readonly #terms: TermsInForce;

  constructor(storage: LedgerStorage) {
    this.#storage = storage;
    this.#terms = new TermsInForce(storage);
  }

  /** Lends slices: what is asked for, or less, or nothing where a limit is near. `closed`: scopes that others wait for. */
  hold(message: HoldMessage, now: number, closed: ReadonlySet<string> = NONE): HoldReply {
    return this.#storage.transact((tables) =>
      message.items.map((item): Grant | null => {
        const key = scopeKey(item.scope);
        const lending = {
          terms: this.#terms.of(item.scope, now),
          holders: this.#holdersOf(key, message.isolate, now),
          closed: closed.has(key),
        };
        return lend(tables, message.isolate, item, lending, now);
      }),
    );
  }

  /**
   * Holds for one request, in all its scopes or in none. With `settleForLess` it may come to less than the maximum, not
   * less than the minimum; `waiting` others want their part of what is left.
   */
  single(
    message: SingleMessage,
    now: number,
    settleForLess: boolean,
    waiting: number = 0,
  ): SingleReply {
    const termsOf = (scope: Scope) => this.#terms.of(scope, now);
    return this.#storage.transact((tables) =>
      holdSingle(tables, message, { termsOf, settleForLess, waiting }, now),
    );
  }

  /**
   * Takes limits, unless it knows later ones of that scope. Answers in how many milliseconds the last slice that was lent
   * before ends.
   */
  define(definitions: readonly Definition[], now: number): number {
    let drainMs = 0;
    this.#storage.transact((tables) => {
      for (const definition of definitions) {
        const key = definitionKey(definition.scope);
        const known = tables.definitions.get(key);
        if (known !== null && known.revision >= definition.revision) continue;
        tables.definitions.put(key, definition, null);
        countPast(tables, known, definition, now);
        moveOut(tables, known, definition, now);
        for (const meter of METERS) {
          const lent = scopeKey({ ...definition.scope, ...(meter && { meter }) });
          for (const until of this.#holders.get(lent)?.values() ?? []) {
            drainMs = Math.max(drainMs, until - now);
          }
        }
      }
    });
    this.#terms.clear();
    return drainMs;
  }

  return(message: ReturnMessage, now: number): void {
    this.#storage.transact((tables) => {
      for (const item of message.items) {
        accept(tables, message.isolate, item, now);
        this.#holders.get(scopeKey(item.scope))?.delete(message.isolate);
      }
      for (const id of message.singles ?? []) {
        const known = tables.singles.get(id);
        for (const { leaseId } of known?.grants ?? []) endSingle(tables, leaseId);
        tables.singles.put(id, { grants: [] }, forgetAt(now, HOUR_MS));
      }
    });
  }

  /** Debits each row once, whatever is sent again; results in the order of the rows. */
  settle(rows: SettleRow[], now: number): SettleResult[] {
    return this.#storage.transact((tables) => {
      tables.settled.load(rows.map(({ requestId }) => requestId));
      const elsewhere: Elsewhere = new Map();
      const results = rows.map((row) => {
        const state = this.#settle(tables, row, now, elsewhere);
        return { requestId: row.requestId, state };
      });
      const [first] = rows;
      for (const [home, spent] of elsewhere) {
        if (first === undefined) continue;
        const { orgId, teamId: from } = first;
        send(tables, { orgId, from, to: home }, summed(spent));
      }
      return results;
    });
  }

  /** Charges a decision that has no outcome as reserved; its own row, should it come yet, takes the place of that. */
  settleAbandoned(decision: AbandonedDecision, now: number): SettleResult {
    const { requestId } = decision;
    return this.#storage.transact((tables) => {
      if (!areSound(decision.leases)) return { requestId, state: "refused" };
      const charged = reservedBy(decision.leases);
      const row = estimatedRow(decision, charged);
      const entry = this.#enter(tables, entryOf(row, charged, true), now);
      if (entry.state === "settled") this.#post(tables, row, entry, now);
      return { requestId, state: entry.state };
    });
  }

  /** Debits what other ledgers settled, once each. */
  debit(debits: readonly ForeignDebit[], now: number): void {
    this.#storage.transact((tables) => {
      tables.settled.load(debits.map(({ requestId }) => requestId));
      for (const { leases, ...rest } of debits) {
        if (!areSound(leases) || !areFit(rest.apart) || !isAmount(rest.charged)) continue;
        this.#enter(tables, { ...rest, teamId: null, holds: byScope(leases) }, now);
      }
    });
  }

  /** Takes what was spent without leases, as other ledgers tell; what it was told before it knows by the number. */
  spent(messages: readonly SpentMessage[], now: number): void {
    this.#storage.transact((tables) => {
      for (const { from, seq, spent } of messages) {
        const key = `spent ${from}`;
        if (seq <= (tables.messages.get(key)?.n ?? 0)) continue;
        tables.messages.put(key, { n: seq, grant: null }, null);
        for (const each of spent) this.#spend(tables, each, now);
      }
    });
  }

  /** What stands against scopes in their present windows; writes nothing. */
  spend(scopes: Scope[], now: number): ScopeSpend[] {
    return scopes.map((scope) => {
      const terms = this.#terms.of(scope, now);
      const { id } = terms.window;
      const { told: _, ...row } =
        this.#storage.spendRow(spendKey(scope, id)) ?? emptySpend(scope, id);
      return { ...row, view: viewOf(scope, terms, row, now) };
    });
  }

  /** Reclaims and forgets what is due. True when there may be more. */
  tick(now: number): boolean {
    return this.#storage.transact((tables) => {
      const leases = tables.leases.due(now, TICK_ROWS);
      for (const leaseId of leases) reclaim(tables, leaseId);
      let more = leases.length === TICK_ROWS;
      for (const rows of [tables.messages, tables.settled, tables.singles, tables.spend]) {
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

  #settle(
    tables: LedgerTables,
    row: SettleRow,
    now: number,
    elsewhere: Elsewhere,
  ): SettleResult["state"] {
    const known = tables.settled.get(row.requestId);
    if (known !== null && known.debits === undefined) return "known";
    if (!isWellFormed(row)) return "refused";
    const entry = this.#enter(tables, entryOf(row, chargeOf(row), false), now);
    if (entry.state !== "settled" && entry.state !== "late") return entry.state;
    this.#post(tables, row, entry, now);
    for (const [home, spent] of spentApart(row)) {
      if (home !== null) elsewhere.set(home, [...(elsewhere.get(home) ?? []), ...spent]);
      else for (const each of spent) this.#spend(tables, each, now);
    }
    return entry.state;
  }

  /** Charges a scope what no lease was held for: at present it may have no limit. */
  #spend(tables: LedgerTables, spent: Spent, now: number): void {
    if (sendOn(tables, spent)) return;
    note(tables, spent, now);
    const { window, limits } = this.#terms.of(spent.scope, now);
    if (limits === null ? spent.scope.kind !== "key" : !isOfWindow(limits, spent.at, now)) return;
    spendOf(tables, spent.scope, window.id, ({ settled }) => ({
      settled: plus(settled, { ...NOTHING, cost: spent.cost }),
    }));
  }

  /** Debits one request to scopes of this ledger, or puts its own charge in the place of an estimate. */
  #enter(tables: LedgerTables, entry: Entry, now: number): Entered {
    const { requestId, charged, estimated } = entry;
    const known = tables.settled.get(requestId);
    const nothing = { revision: 1 as const, charged, delta: NOTHING, overrun: 0, estimated };
    if (known !== null && (estimated || known.debits === undefined)) {
      return { ...nothing, state: "known" };
    }
    // Whether an older one was settled is forgotten: it can't be debited without the risk of doing so twice.
    if (known === null && isTooOld(entry.startedAt, now)) return { ...nothing, state: "stale" };
    if (known?.debits) undo(tables, known.debits, (scope) => this.#terms.of(scope, now), now);
    let overrun = 0;
    const debits: Debit[] = [];
    for (const { scope, refs } of entry.holds) {
      const whole = chargeIn(scope, charged, entry.apart);
      // Nobody knows what came of it: no scope is charged more than was set aside in it.
      const amount = estimated ? least(whole, reservedIn(refs)) : whole;
      if (!estimated) for (const { leaseId } of refs) endSingle(tables, leaseId);
      const present = this.#terms.of(scope, now).window.id;
      for (const debit of debitsOf(entry, scope, refs, amount, present)) {
        overrun = Math.max(overrun, debit.overrun);
        debits.push(debit);
        this.#debit(tables, entry, debit, now);
      }
    }
    const row = estimated ? { charged, debits } : { charged };
    tables.settled.put(requestId, row, forgetAt(now, RETENTION_MS));
    return {
      state: known === null ? "settled" : "late",
      revision: known === null ? 1 : 2,
      charged,
      delta: minus(charged, known?.charged ?? NOTHING),
      estimated,
      overrun,
    };
  }

  #debit(
    tables: LedgerTables,
    entry: Entry,
    { scope, windowId, amount, at, shares, overrun }: ReturnType<typeof debitsOf>[number],
    now: number,
  ): void {
    const { estimated } = entry;
    for (const share of shares) (estimated ? estimate : draw)(tables, share);
    const spent = { scope, at, cost: amount.cost };
    if (scope.meter === undefined && sendOn(tables, spent)) return;
    spendOf(tables, scope, windowId, (spend) => ({
      settled: plus(spend.settled, amount),
      ...(estimated
        ? { estimated: plus(spend.estimated, amount) }
        : { overrun: spend.overrun + overrun }),
    }));
    if (scope.meter !== undefined) return;
    note(tables, spent, now);
    const terms = this.#terms.of(scope, now);
    countAgain(tables, { ...spent, windowId }, terms, now);
    tell(tables, { scope, windowId, entry, terms, now });
  }

  #post(tables: LedgerTables, row: SettleRow, entered: Entered, now: number): void {
    const { state: _, ...charge } = { ...entered, settledAt: now };
    const ids = eventIdsOf(row, charge.revision);
    const event = usageEvent(row, charge, ids);
    const record = outcomeRecord(row, charge, ids);
    tables.append({ seq: tables.next("outbox"), kind: "usage", event });
    tables.append({ seq: tables.next("outbox"), kind: "outcome", record });
    const { orgId, requestId, startedAt, apart } = row;
    for (const [home, leases] of byHome(row.leases)) {
      const { charged, estimated } = charge;
      const debit = {
        orgId,
        requestId,
        startedAt,
        charged,
        estimated,
        leases,
        ...(apart && { apart }),
      };
      tables.append({ seq: tables.next("outbox"), kind: "debit", orgId, home, debit });
    }
  }

  /** How many isolates have a slice, the asking one included. */
  #holdersOf(key: string, isolate: string, now: number): number {
    let holders = this.#holders.get(key);
    if (!holders) this.#holders.set(key, (holders = new Map()));
    for (const [other, until] of holders) if (until <= now) holders.delete(other);
    holders.set(isolate, now + LEASE_TTL_MS);
    return holders.size;
  }
}
