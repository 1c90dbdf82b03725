import { homeOf, portion, scopeKey } from "../core/scope.ts";
import type {
  Grant,
  HoldItem,
  LeaseRef,
  LeaseShare,
  ReturnItem,
  ScopeView,
} from "../core/account.ts";
import type { Scope } from "../core/scope.ts";
import { beyond, covers, isNothing, minus, most, NOTHING, plus, times } from "../core/amount.ts";
import type { Amount } from "../core/amount.ts";

/** A scope that nobody asked for in this time returns what it has. */
export const IDLE_MS = 2_000;
/** The same of requests at a time: others are refused for what lies idle here, after they waited for a second. */
const IDLE_SLOTS_MS = 300;
/** The span whose spend a slice is meant to last for. */
const RATE_MS = 2_000;
/** A request that has waited so long was cut: what it wanted is not asked for any more. */
const WAITING_MS = 5_000;

/** A message whose answer is not known. It is sent again as it is, and its time is that of the first sending. */
interface Pending {
  item: HoldItem | ReturnItem;
  sentAt: number;
}

/** What is held of one scope for one request. */
interface Single {
  ref: LeaseRef;
  since: number;
}

/** What one isolate has in stock of one scope. Plain data behind synchronous steps; time is what the caller says. */
export class Stock {
  readonly scope: Scope;
  /** The ledger that it is lent by; null = the team's. */
  readonly home: string | null;
  /** How the scope stood when the ledger last said so, and when that was, by this isolate's clock. */
  view: { of: ScopeView; at: number } | null = null;
  usedAt: number;
  pending: Pending | null = null;
  #leaseId: string | null = null;
  #windowId = "";
  #revision = 0;
  #free: Amount = NOTHING;
  /** By this isolate's clock, counted from before it asked. */
  #expiresAt = -Infinity;
  #renewAt = -Infinity;
  /** Nothing is lent in advance: a limit is near. */
  #tight = false;
  /** How long requests on the lease may run, and how long the last one may, milliseconds. */
  #longestMs = 0;
  #lastMs = 0;
  readonly #singles = new Map<string, Single>();
  /** Parts of leases that are not admitted from any more; they leave with the next message. */
  #give: LeaseShare[] = [];
  /** The worst case of the last request, and those of requests that wait for a lease. */
  #lastMax: Amount = NOTHING;
  readonly #waiting = new Map<string, { max: Amount; since: number }>();
  #spent = { since: -Infinity, now: NOTHING as Amount, before: NOTHING as Amount };

  constructor(scope: Scope, now: number) {
    this.scope = scope;
    this.home = homeOf(scope);
    this.usedAt = now;
  }

  /** How long it keeps what nobody asks for, milliseconds. */
  get idleMs(): number {
    return this.scope.meter === "slots" ? IDLE_SLOTS_MS : IDLE_MS;
  }

  /** Nothing here, nothing under way and nobody waiting. */
  get isEmpty(): boolean {
    return (
      this.pending === null &&
      this.#waiting.size === 0 &&
      this.#singles.size === 0 &&
      this.#give.length === 0 &&
      isNothing(this.#free)
    );
  }

  /** How the scope stands by now: what was lent to this isolate and is not used yet is free. */
  get seen(): { of: ScopeView; at: number } | null {
    if (this.view === null) return null;
    const { of, at } = this.view;
    return { of: { ...of, outstanding: beyond(of.outstanding, this.#free) }, at };
  }

  /** A limit is near, as far as a lease that is still alive tells: requests are held one by one. */
  isTight(now: number): boolean {
    return this.#tight && now < this.#expiresAt;
  }

  canGive(requestId: string, amount: Amount, longestMs: number, now: number): boolean {
    if (this.#singles.has(requestId)) return true;
    return (
      this.#leaseId !== null &&
      now < this.#expiresAt &&
      (this.scope.meter !== "slots" || longestMs <= this.#longestMs) &&
      covers(this.#free, portion(this.scope, amount))
    );
  }

  /** What was lent for this request alone; null where it is served from the slice. */
  singleOf(requestId: string): Amount | null {
    return this.#singles.get(requestId)?.ref.reserved ?? null;
  }

  /** Sets an amount aside that `canGive` allowed. */
  take(requestId: string, amount: Amount, longestMs: number, now: number): LeaseRef {
    const reserved = portion(this.scope, amount);
    this.#lastMax = reserved;
    this.#lastMs = longestMs;
    this.usedAt = now;
    this.#waiting.delete(requestId);
    const single = this.#singles.get(requestId);
    if (single) {
      this.#singles.delete(requestId);
      return single.ref;
    }
    this.#free = minus(this.#free, reserved);
    return {
      scope: this.scope,
      leaseId: this.#leaseId ?? "",
      windowId: this.#windowId,
      revision: this.#revision,
      reserved,
    };
  }

  /** Takes a hold for one request in. */
  single(requestId: string, { leaseId, windowId, revision, lent, view }: Grant, now: number): void {
    const { scope } = this;
    const ref: LeaseRef = { scope, leaseId, windowId, revision, reserved: lent, single: true };
    this.#singles.set(requestId, { ref, since: now });
    this.usedAt = now;
    if (view) this.view = { of: view, at: now };
  }

  /** A request that will not take it gives its single hold up; the ledger hears of that under the hold's own id. */
  dropSingle(requestId: string): void {
    this.#singles.delete(requestId);
  }

  /** Takes back what a request did not need: into the stock if its lease is still the one in use, else to be returned. */
  putBack({ leaseId, amount }: LeaseShare): void {
    if (isNothing(amount)) return;
    if (leaseId === this.#leaseId) this.#free = plus(this.#free, amount);
    else this.#give.push({ leaseId, amount });
  }

  noteSpend(amount: Amount, now: number): void {
    const age = now - this.#spent.since;
    if (age >= RATE_MS) {
      this.#spent = {
        since: now,
        now: NOTHING,
        before: age < 2 * RATE_MS ? this.#spent.now : NOTHING,
      };
    }
    this.#spent.now = plus(this.#spent.now, amount);
  }

  /** A request waits for a lease of this scope. */
  wait(requestId: string, amount: Amount, longestMs: number, now: number): void {
    this.usedAt = now;
    this.#lastMs = longestMs;
    this.#waiting.set(requestId, { max: portion(this.scope, amount), since: now });
  }

  unwait(requestId: string): void {
    this.#waiting.delete(requestId);
  }

  /** True where the lease should be renewed behind the request: half of its time is over, or the next one may wait. */
  wantsRenewal(now: number): boolean {
    return now >= this.#renewAt || (!this.#tight && !covers(this.#free, this.#lastMax));
  }

  /** The message that brings the stock to where it should be; the pending one if there is one. */
  ask(n: () => number, now: number): HoldItem {
    if (this.pending !== null) return this.#askAgain(this.pending);
    const waiting = this.#waitingFor(now);
    const worst = most(this.#worstWaiting(), this.#lastMax);
    const target = most(times(most(waiting, worst), 2), most(this.#spent.now, this.#spent.before));
    if (this.#tight) this.putAside(this.#free);
    else if (this.#leaseId !== null && covers(this.#free, times(target, 2))) {
      this.putAside(beyond(this.#free, target));
    }
    const item: HoldItem = {
      scope: this.scope,
      n: n(),
      leaseId: this.#leaseId,
      give: this.#takeGive(),
      worst,
      want: beyond(target, this.#free),
      longestMs: this.#lastMs,
    };
    this.pending = { item, sentAt: now };
    return item;
  }

  /** The message that returns everything; null where there is nothing to return. The pending one if there is one. */
  giveAll(n: () => number, now: number): HoldItem | ReturnItem | null {
    if (this.pending !== null) return this.pending.item;
    this.putAside(this.#free);
    this.#leaseId = null;
    if (this.#give.length === 0) return null;
    const item: ReturnItem = { scope: this.scope, n: n(), give: this.#takeGive() };
    this.pending = { item, sentAt: now };
    return item;
  }

  /** Takes the answer of a message, once: a second answer finds nothing pending. */
  granted(item: HoldItem, grant: Grant | null): void {
    const { pending } = this;
    if (pending === null || pending.item.n !== item.n || !isHold(pending.item)) return;
    this.pending = null;
    if (grant === null) return;
    if (grant.leaseId !== this.#leaseId) {
      this.putAside(this.#free);
      this.#leaseId = grant.leaseId;
    }
    this.#windowId = grant.windowId;
    this.#revision = grant.revision;
    this.#free = plus(this.#free, grant.lent);
    this.#expiresAt = pending.sentAt + grant.ttlMs;
    this.#renewAt = pending.sentAt + grant.ttlMs / 2;
    this.#tight = grant.tight;
    this.#longestMs = Math.max(this.#longestMs, item.longestMs);
    if (grant.view) this.view = { of: grant.view, at: pending.sentAt };
  }

  /** Near a limit what is free goes back at once, for others wait for it. */
  get spare(): boolean {
    return (
      this.#tight && this.pending === null && (this.#give.length > 0 || !isNothing(this.#free))
    );
  }

  /** The message that returns what is free while the lease goes on. */
  giveSpare(n: () => number, now: number): ReturnItem {
    this.putAside(this.#free);
    const item: ReturnItem = { scope: this.scope, n: n(), give: this.#takeGive() };
    this.pending = { item, sentAt: now };
    return item;
  }

  returned(item: ReturnItem): void {
    if (this.pending?.item.n === item.n && !isHold(this.pending.item)) this.pending = null;
  }

  /** Moves a part of the stock to what is given back. */
  putAside(amount: Amount): void {
    if (this.#leaseId === null || isNothing(amount)) return;
    this.#free = minus(this.#free, amount);
    this.#give.push({ leaseId: this.#leaseId, amount });
  }

  /**
   * A return that may not have arrived goes on as a hold of the same number: the ledger either takes it for the return
   * that it knows, and grants nothing, or hears of it for the first time.
   */
  #askAgain(pending: Pending): HoldItem {
    if (!isHold(pending.item)) {
      const nothing = { worst: NOTHING, want: NOTHING, longestMs: 0 };
      pending.item = { ...pending.item, leaseId: null, ...nothing };
    }
    return pending.item as HoldItem;
  }

  #worstWaiting(): Amount {
    return [...this.#waiting.values()].reduce((worst, { max }) => most(worst, max), {
      ...NOTHING,
    });
  }

  #waitingFor(now: number): Amount {
    let sum: Amount = NOTHING;
    for (const [requestId, { max, since }] of this.#waiting) {
      if (now - since > WAITING_MS) this.#waiting.delete(requestId);
      else sum = plus(sum, max);
    }
    return sum;
  }

  #takeGive(): LeaseShare[] {
    const sums = new Map<string, Amount>();
    for (const { leaseId, amount } of this.#give) {
      sums.set(leaseId, plus(sums.get(leaseId) ?? NOTHING, amount));
    }
    this.#give = [];
    return [...sums].map(([leaseId, amount]) => ({ leaseId, amount }));
  }
}

export function isHold(item: HoldItem | ReturnItem): item is HoldItem {
  return "want" in item;
}

/** By scope, what a request holds of it. */
export function byScope(refs: readonly LeaseRef[]): Map<string, LeaseRef[]> {
  const map = new Map<string, LeaseRef[]>();
  for (const ref of refs) {
    const key = scopeKey(ref.scope);
    const known = map.get(key);
    if (known) known.push(ref);
    else map.set(key, [ref]);
  }
  return map;
}
