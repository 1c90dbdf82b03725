import { chargeOf, drawFrom, scopeKey } from "../core/account.ts";
import type {
  HoldItem,
  HoldReply,
  HoldRequest,
  LeaseRef,
  ReturnItem,
  Scope,
  SettleRow,
} from "../core/account.ts";
import { beyond, isNothing, most, NOTHING, plus } from "../core/amount.ts";
import type { Amount } from "../core/amount.ts";
import { byScope, IDLE_MS, isHold, Stock } from "./escrow-stock.ts";

const MAX_STOCKS = 2_000;
/** Longer than any request: a hold this old belongs to a request that was cut. */
const HOLD_MS = 660_000;

/** What a request set aside, of all its scopes together. */
export interface Hold {
  holdId: string;
  leases: LeaseRef[];
  max: Amount;
  since: number;
}

/**
 * What an isolate knows of one team's ledger: stocks, holds, and rows whose settlement is not known yet. All steps are
 * synchronous; nothing here waits or sends.
 */
export class EscrowMemory {
  /** Rows that the ledger has not acknowledged, by request id. */
  readonly queue = new Map<string, SettleRow>();
  /** When the last round of returning idle leases began, Unix milliseconds. */
  tidiedAt = -Infinity;
  /** The most lately used last. */
  readonly #stocks = new Map<string, Stock>();
  readonly #holds = new Map<string, Hold>();
  readonly #n: () => number;

  /** `n` numbers the messages of the whole isolate and never repeats. */
  constructor(n: () => number) {
    this.#n = n;
  }

  get isEmpty(): boolean {
    return this.queue.size === 0 && this.#holds.size === 0 && this.#stocks.size === 0;
  }

  get hasStock(): boolean {
    return this.#stocks.size > 0;
  }

  /** Sets the worst case aside in every scope, in one turn; null where a scope has too little, and then in none. */
  admit(request: HoldRequest, now: number): Hold | null {
    this.#forgetHolds(now);
    const holdId = holdIdOf(request.requestId);
    const held = this.#holds.get(holdId);
    const more = this.#missing(request);
    if (held && isNothing(more)) return held;
    const stocks = this.#stocksOf(request.scopes, now);
    if (!stocks.every((stock) => stock.canGive(more, now))) return null;
    const taken = stocks.map((stock) => stock.take(request.requestId, more, now));
    const hold: Hold = {
      holdId,
      leases: merged(held?.leases ?? [], taken),
      max: most(held?.max ?? NOTHING, request.max),
      since: held?.since ?? now,
    };
    this.#holds.set(holdId, hold);
    return hold;
  }

  /** The scopes that keep a request from being admitted. */
  lacking(request: HoldRequest, now: number): Scope[] {
    const more = this.#missing(request);
    return this.#stocksOf(request.scopes, now)
      .filter((stock) => !stock.canGive(more, now))
      .map((stock) => stock.scope);
  }

  wait(request: HoldRequest, now: number): void {
    const more = this.#missing(request);
    for (const stock of this.#stocksOf(request.scopes, now)) {
      stock.wait(request.requestId, more, now);
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
      const stock = this.#stocks.get(scopeKey(item.scope));
      if (reply.granted) stock?.granted(item, reply.grants[at] ?? null);
      else stock?.refused(item);
    });
  }

  /** Ends a request's hold and puts its row into the queue. What it did not use is free again at once. */
  settle(row: SettleRow, now: number): void {
    if (this.queue.has(row.requestId)) return;
    const hold = this.#endHold(holdIdOf(row.requestId));
    this.queue.set(row.requestId, hold === null ? row : { ...row, leases: hold.leases });
    if (hold === null) return;
    const charged = chargeOf(row);
    for (const refs of byScope(hold.leases).values()) {
      const [first] = refs;
      if (first === undefined) continue;
      const stock = this.#stockOf(first.scope, now);
      for (const { leaseId, rest } of drawFrom(refs, charged).draws) {
        stock.putBack({ leaseId, amount: rest });
      }
      stock.noteSpend(charged, now);
    }
  }

  /** Ends the hold of a request that spent nothing. False where this is not its ledger, or it ended before. */
  release(holdId: string, now: number): boolean {
    const hold = this.#endHold(holdId);
    for (const { scope, leaseId, reserved } of hold?.leases ?? []) {
      this.#stockOf(scope, now).putBack({ leaseId, amount: reserved });
    }
    return hold !== null;
  }

  /** The messages that return what is idle, or too much to remember; stocks with nothing left are forgotten. */
  idle(now: number): { holds: HoldItem[]; returns: ReturnItem[] } {
    const holds: HoldItem[] = [];
    const returns: ReturnItem[] = [];
    let beyondMost = this.#stocks.size - MAX_STOCKS;
    for (const [key, stock] of this.#stocks) {
      if (now - stock.usedAt < IDLE_MS && beyondMost-- <= 0) continue;
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

  /** What a request needs beyond what it holds. */
  #missing({ requestId, max }: HoldRequest): Amount {
    return beyond(max, this.#holds.get(holdIdOf(requestId))?.max ?? NOTHING);
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

/** One hold per request: asking again raises it. */
export function holdIdOf(requestId: string): string {
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
