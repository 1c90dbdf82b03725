import { chargeIn, chargeOf, drawFrom } from "../core/account.ts";
import { homeOf, portion, scopeKey } from "../core/scope.ts";
import type {
  Grant,
  HoldItem,
  HoldReply,
  HoldRequest,
  LeaseRef,
  LeaseShare,
  ReturnItem,
  ScopeView,
  SettleRow,
} from "../core/account.ts";
import type { Overbillings } from "../core/overbilling.ts";
import type { Scope } from "../core/scope.ts";
import { beyond, isNothing, least, most, NOTHING, plus } from "../core/amount.ts";
import type { Amount } from "../core/amount.ts";
import { byScope, IDLE_MS, isHold, Stock } from "./escrow-stock.ts";

const MAX_STOCKS = 2_000;
/** Longer than any request: a hold this old belongs to a request that was cut. */
const HOLD_MS = 660_000;

/** What a request set aside, of all its scopes together. */
export interface Hold {
  holdId: string;
  leases: LeaseRef[];
  amount: Amount;
  /** Names of its single holds, by the ledger. */
  singles: { home: string | null; id: string }[];
  since: number;
  /** The bounds that were raised for it. */
  overbilling?: Overbillings | undefined;
}

/**
 * What an isolate knows of one team's ledger: stocks, holds, and rows whose settlement is not known yet. All steps are
 * synchronous; nothing here waits or sends.
 */
export class EscrowMemory {
  /** Rows that the ledger has not acknowledged, by request id. */
  readonly queue = new Map<string, SettleRow>();
  /** When what is idle is looked for next, Unix milliseconds. */
  tidyAt = -Infinity;
  /** The most lately used last. */
  readonly #stocks = new Map<string, Stock>();
  readonly #holds = new Map<string, Hold>();
  /** Single holds that the ledgers have not heard are over, by the ledger. */
  readonly #drops = new Map<string | null, string[]>();
  /** Stocks of which something goes back at once. */
  readonly #spare = new Set<Stock>();
  /** The shortest of all stocks, as far as they were looked through. */
  #idleMs = Infinity;
  /** Single holds of requests that were not admitted yet. */
  readonly #acquired = new Map<string, Hold["singles"]>();
  readonly #n: () => number;

  /** `n` numbers the messages of the whole isolate and never repeats. */
  constructor(n: () => number) {
    this.#n = n;
  }

  get isEmpty(): boolean {
    return this.queue.size === 0 && this.#holds.size === 0 && this.#stocks.size === 0;
  }

  /** How soon what is idle has to be looked for, milliseconds; null where nothing has to go back any more. */
  get idleMs(): number | null {
    if (this.#stocks.size > 0) return this.#idleMs;
    return this.#drops.size > 0 ? IDLE_MS : null;
  }

  /**
   * Sets the worst case aside in every scope, in one turn; null where a scope has too little, and then in none. Where a
   * ledger lent less for this very request, so much is held of all.
   */
  admit(request: HoldRequest, now: number): Hold | null {
    this.#forgetHolds(now);
    const { requestId, longestMs = 0 } = request;
    const holdId = holdIdOf(requestId);
    const held = this.#holds.get(holdId);
    const stocks = this.#open(request, now);
    if (held && stocks.length === 0) return held;
    let amount = request.max;
    for (const stock of stocks) {
      const single = stock.singleOf(requestId);
      if (single === null) continue;
      const own = plus(reservedIn(held, stock.scope), single);
      amount = least(amount, { ...amount, ...counted(stock.scope, own) });
    }
    const more = stocks.map((stock) => lackIn(held, stock.scope, amount));
    const all = stocks.every((stock, at) =>
      stock.canGive(requestId, more[at] ?? NOTHING, longestMs, now),
    );
    if (!all) return null;
    const taken = stocks.map((stock, at) =>
      stock.take(requestId, more[at] ?? NOTHING, longestMs, now),
    );
    const hold: Hold = {
      holdId,
      leases: merged(held?.leases ?? [], taken),
      amount: most(held?.amount ?? NOTHING, amount),
      singles: [...(held?.singles ?? []), ...(this.#acquired.get(requestId) ?? [])],
      since: held?.since ?? now,
      overbilling: request.overbilling,
    };
    this.#acquired.delete(requestId);
    this.#holds.set(holdId, hold);
    return hold;
  }

  /** The scopes that keep a request from being admitted. */
  lacking(request: HoldRequest, now: number): Scope[] {
    const { requestId, longestMs = 0 } = request;
    return this.#open(request, now)
      .filter((stock) => !stock.canGive(requestId, this.#lack(request, stock), longestMs, now))
      .map((stock) => stock.scope);
  }

  /** Of these scopes, those that are lent request by request. */
  tight(scopes: readonly Scope[], now: number): Scope[] {
    return this.#stocksOf(scopes, now)
      .filter((stock) => stock.isTight(now))
      .map((stock) => stock.scope);
  }

  /** What a request wants of each scope, for a hold of its own. */
  wanted(request: HoldRequest, scopes: readonly Scope[]) {
    const held = this.#holds.get(holdIdOf(request.requestId));
    return scopes.map((scope) => {
      const max = lackIn(held, scope, request.max);
      return { scope, max, min: least(lackIn(held, scope, request.min ?? request.max), max) };
    });
  }

  /** Takes a single hold in, once, should its answer come twice; `id` names it at its ledger. */
  acquired(
    requestId: string,
    id: string,
    scopes: readonly Scope[],
    grants: readonly Grant[],
    now: number,
  ): void {
    const home = scopes[0] ? homeOf(scopes[0]) : null;
    const acquired = this.#acquired.get(requestId) ?? [];
    const { singles = [] } = this.#holds.get(holdIdOf(requestId)) ?? {};
    const known = [...acquired, ...singles];
    if (known.some((each) => each.id === id && each.home === home)) return;
    scopes.forEach((scope, at) => {
      const grant = grants[at];
      if (grant) this.#stockOf(scope, now).single(requestId, grant, now);
    });
    this.#acquired.set(requestId, [...acquired, { home, id }]);
  }

  /** Gives up the single holds of a request that was not admitted. */
  giveUp(request: HoldRequest): void {
    for (const scope of request.scopes) {
      this.#stocks.get(scopeKey(scope))?.dropSingle(request.requestId);
    }
    for (const { home, id } of this.#acquired.get(request.requestId) ?? []) this.drop(home, id);
    this.#acquired.delete(request.requestId);
  }

  /** A ledger has to hear that a single hold is over, or never came about. */
  drop(home: string | null, id: string): void {
    this.#drops.set(home, [...(this.#drops.get(home) ?? []), id]);
  }

  /** How scopes stand, as their ledgers last said less what was used here since, and when that was; null = not known. */
  views(scopes: readonly Scope[]): ({ of: ScopeView; at: number } | null)[] {
    return scopes.map((scope) => this.#stocks.get(scopeKey(scope))?.seen ?? null);
  }

  wait(request: HoldRequest, now: number): void {
    const { requestId, longestMs = 0 } = request;
    for (const stock of this.#open(request, now)) {
      const more = this.#lack(request, stock);
      if (stock.canGive(requestId, more, longestMs, now)) continue;
      stock.wait(requestId, more, longestMs, now);
    }
  }

  unwait(request: HoldRequest): void {
    for (const scope of request.scopes) {
      this.#stocks.get(scopeKey(scope))?.unwait(request.requestId);
    }
  }

  /** The scopes of a request whose leases should be renewed behind it. */
  renewals(scopes: readonly Scope[], now: number): Scope[] {
    return this.#stocksOf(scopes, now)
      .filter((stock) => stock.wantsRenewal(now))
      .map((stock) => stock.scope);
  }

  /** The items of one hold message. */
  ask(scopes: readonly Scope[], now: number): HoldItem[] {
    return this.#stocksOf(scopes, now).map((stock) => stock.ask(this.#n, now));
  }

  answered(items: readonly HoldItem[], reply: HoldReply): void {
    items.forEach((item, at) => {
      this.#stocks.get(scopeKey(item.scope))?.granted(item, reply[at] ?? null);
    });
  }

  /**
   * Ends a request's hold and puts its row into the queue. What it did not use is free again at once. Answers the
   * hold; null where there was none, or its row is known.
   */
  settle(row: SettleRow, now: number): Hold | null {
    if (this.queue.has(row.requestId)) return null;
    const hold = this.#endHold(holdIdOf(row.requestId));
    this.queue.set(row.requestId, hold === null ? row : { ...row, leases: hold.leases });
    if (hold === null) return null;
    const charged = chargeOf(row);
    for (const refs of byScope(hold.leases).values()) {
      const [first] = refs;
      if (first === undefined) continue;
      const stock = this.#stockOf(first.scope, now);
      const own = chargeIn(first.scope, charged, row.apart);
      const { draws } = drawFrom(refs, own);
      draws.forEach(({ leaseId, rest }, at) => {
        // What is left of a single hold the ledger frees with the settlement.
        if (refs[at]?.single !== true) this.#putBack(stock, { leaseId, amount: rest });
      });
      stock.noteSpend(first.scope.meter === "slots" ? portion(first.scope, charged) : own, now);
    }
    return hold;
  }

  /** Ends the hold of a request that spent nothing. False where this is not its ledger, or it ended before. */
  release(holdId: string, now: number): boolean {
    const hold = this.#endHold(holdId);
    for (const { scope, leaseId, reserved, single } of hold?.leases ?? []) {
      if (single !== true) {
        this.#putBack(this.#stockOf(scope, now), { leaseId, amount: reserved });
      }
    }
    for (const { home, id } of hold?.singles ?? []) this.drop(home, id);
    return hold !== null;
  }

  /** What goes back at once, by the ledger: what others wait for near a limit. */
  spare(now: number): Map<string | null, { items: ReturnItem[]; singles: string[] }> {
    const out = new Map<string | null, { items: ReturnItem[]; singles: string[] }>();
    const of = (home: string | null) => {
      const known = out.get(home) ?? { items: [], singles: [] };
      out.set(home, known);
      return known;
    };
    for (const stock of this.#spare) {
      if (stock.spare) of(stock.home).items.push(stock.giveSpare(this.#n, now));
    }
    this.#spare.clear();
    for (const [home, singles] of this.#drops) of(home).singles.push(...singles);
    this.#drops.clear();
    return out;
  }

  get hasSpare(): boolean {
    return this.#drops.size > 0 || this.#spare.size > 0;
  }

  /** The messages that return what is idle, or too much to remember; stocks with nothing left are forgotten. */
  idle(now: number): { holds: HoldItem[]; returns: ReturnItem[] } {
    const holds: HoldItem[] = [];
    const returns: ReturnItem[] = [];
    let beyondMost = this.#stocks.size - MAX_STOCKS;
    this.#idleMs = Infinity;
    for (const [key, stock] of this.#stocks) {
      this.#idleMs = Math.min(this.#idleMs, stock.idleMs);
      // A clock that was put back tells nothing of when a stock was used.
      if (Math.abs(now - stock.usedAt) < stock.idleMs && beyondMost-- <= 0) continue;
      if (stock.isEmpty) {
        this.#stocks.delete(key);
        continue;
      }
      const item = stock.giveAll(this.#n, now);
      if (item === null) continue;
      if (isHold(item)) holds.push(item);
      else returns.push(item);
    }
    return { holds, returns };
  }

  returned(items: readonly ReturnItem[]): void {
    for (const item of items) {
      const key = scopeKey(item.scope);
      const stock = this.#stocks.get(key);
      stock?.returned(item);
      if (stock?.isEmpty === true) this.#stocks.delete(key);
    }
  }

  #putBack(stock: Stock, share: LeaseShare): void {
    stock.putBack(share);
    if (stock.spare) this.#spare.add(stock);
  }

  /** What a request needs of a scope beyond what it holds there. */
  #lack({ requestId, max }: HoldRequest, { scope }: Stock): Amount {
    return lackIn(this.#holds.get(holdIdOf(requestId)), scope, max);
  }

  /** The stocks that a request needs something of: all of them, unless it holds some already. */
  #open(request: HoldRequest, now: number): Stock[] {
    const stocks = this.#stocksOf(request.scopes, now);
    if (!this.#holds.has(holdIdOf(request.requestId))) return stocks;
    return stocks.filter((stock) => !isNothing(this.#lack(request, stock)));
  }

  #endHold(holdId: string): Hold | null {
    const hold = this.#holds.get(holdId) ?? null;
    this.#holds.delete(holdId);
    return hold;
  }

  #stocksOf(scopes: readonly Scope[], now: number): Stock[] {
    return [...new Set(scopes.map((scope) => this.#stockOf(scope, now)))];
  }

  #stockOf(scope: Scope, now: number): Stock {
    const key = scopeKey(scope);
    const stock = this.#stocks.get(key) ?? new Stock(scope, now);
    this.#idleMs = Math.min(this.#idleMs, stock.idleMs);
    this.#stocks.delete(key);
    this.#stocks.set(key, stock);
    return stock;
  }

  #forgetHolds(now: number): void {
    for (const [holdId, { since }] of this.#holds) {
      if (now - since < HOLD_MS) return;
      this.#holds.delete(holdId);
    }
  }
}

function reservedIn(held: Hold | undefined, scope: Scope): Amount {
  const key = scopeKey(scope);
  let sum: Amount = NOTHING;
  for (const ref of held?.leases ?? []) {
    if (scopeKey(ref.scope) === key) sum = plus(sum, ref.reserved);
  }
  return sum;
}

function lackIn(held: Hold | undefined, scope: Scope, max: Amount): Amount {
  return beyond(portion(scope, max), reservedIn(held, scope));
}

/** Of what a meter's lease holds, the places that the meter counts. */
function counted({ meter }: Scope, { cost, requests, tokens }: Amount): Partial<Amount> {
  if (meter === undefined) return { cost, requests, tokens };
  return meter === "rate" ? { requests, tokens } : { requests };
}

/** One hold per request: asking again raises it. */
function holdIdOf(requestId: string): string {
  return `hold_${requestId}`;
}

function merged(held: readonly LeaseRef[], taken: readonly LeaseRef[]): LeaseRef[] {
  const out = [...held];
  for (const ref of taken) {
    const at = out.findIndex(
      (each) => each.leaseId === ref.leaseId && scopeKey(each.scope) === scopeKey(ref.scope),
    );
    const known = out[at];
    if (known) out[at] = { ...known, reserved: plus(known.reserved, ref.reserved) };
    else out.push(ref);
  }
  return out;
}
