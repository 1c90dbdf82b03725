import { LedgerBook } from "../../durable-objects/ledger-book.ts";
import type { LeaseRow } from "../../durable-objects/ledger-rows.ts";
import { scopeKey } from "../../worker/core/scope.ts";
import type {
  HoldItem,
  HoldReply,
  HoldRequest,
  LeaseRef,
  ReturnItem,
  SettleResult,
  SettleRow,
} from "../../worker/core/account.ts";
import type { Scope } from "../../worker/core/scope.ts";
import { covers, plus } from "../../worker/core/amount.ts";
import type { Amount } from "../../worker/core/amount.ts";
import { DEFAULT_TIERS } from "../../worker/core/limits.ts";
import type { Limits } from "../../worker/core/limits.ts";
import { windowAt } from "../../worker/core/windows.ts";
import { EscrowMemory } from "../../worker/store/escrow-memory.ts";
import { LedgerMemory } from "./ledger-memory.ts";
import { ORG, rowOf, TEAM } from "./settle-row.ts";

const KEYS = ["k1", "k2"];
/** Longer than any request may run. */
const LONGEST_MS = 590_000;

export interface Running {
  requestId: string;
  isolate: Borrower;
  keyId: string;
  max: Amount;
  leases: LeaseRef[];
  since: number;
}

interface Borrower {
  id: string;
  memory: EscrowMemory;
  alive: boolean;
  /** What its clock is off the ledger's. */
  skew: number;
}

/** What is under way: once it arrives it may arrive again, and its answer may come late, twice or never. */
interface Flying {
  arrive: () => (() => void) | null;
}

/**
 * Isolates, one ledger and a network between them that loses, doubles and reorders. Beside them stands an account of
 * its own, kept in the plainest way: what each request was charged by the messages that the ledger has seen.
 */
export class LedgerWorld {
  readonly storage = new LedgerMemory();
  readonly book: LedgerBook;
  readonly isolates: Borrower[];
  readonly running: Running[] = [];
  /** Requests whose isolate died or whose context was cut, and which have a decision on record. */
  readonly abandoned: Running[] = [];
  readonly flying: Flying[] = [];
  readonly answers: (() => void)[] = [];
  /** What the ledger has been told of each request. */
  readonly charges = new Map<
    string,
    { amount: Amount; real: boolean; windows: Map<string, string>; leases: LeaseRef[] }
  >();
  /** Leases on which a request that was cut may owe something, and isolates that died. */
  readonly owed = new Set<string>();
  readonly dead = new Set<string>();
  /** Rules of the protocol that were seen broken. */
  readonly breaches: string[] = [];
  readonly ended: Running[] = [];
  now = 1_700_000_000_000;
  revision = 0;
  windowMs: number;
  #requests = 0;
  #over = new Set<string>();

  constructor(skews: number[], windowMs: number) {
    this.windowMs = windowMs;
    this.book = new LedgerBook(this.storage);
    this.define();
    this.isolates = skews.map((skew, at) => this.#isolate(`i${at}`, skew));
  }

  #isolate(id: string, skew: number): Borrower {
    let n = 0;
    return { id, skew, alive: true, memory: new EscrowMemory(() => ++n) };
  }

  /** New limits for all scopes: the same windows, and the budget that is in force from now on. */
  define(budget?: number): void {
    this.revision++;
    const limits: Limits = {
      timeZone: "UTC",
      since: 0,
      tiers: DEFAULT_TIERS,
      duration: `${this.windowMs / 1000}s`,
      ...(budget !== undefined && { maxBudget: budget }),
    };
    const { revision } = this;
    this.book.define(
      this.allScopes.map((scope) => ({ scope, revision, limits })),
      this.now,
    );
  }

  windowId(): string {
    return windowAt(`${this.windowMs / 1000}s`, "UTC", 0, this.now).id;
  }

  clock(isolate: Borrower): number {
    return this.now + isolate.skew;
  }

  scopes(keyId: string): Scope[] {
    return [
      { kind: "team", id: TEAM },
      { kind: "team_member", id: `${TEAM}/u1` },
      { kind: "key", id: keyId },
    ];
  }

  /** Admits a request if its isolate has enough in stock; else the isolate asks for what it lacks. */
  begin(isolate: Borrower, key: number, cost: number): void {
    const keyId = KEYS[key % KEYS.length] ?? "k1";
    const max = { cost, requests: 1, tokens: cost * 2 };
    this.#admit(isolate, keyId, max, `req_${++this.#requests}`, this.now);
  }

  /** Near a limit: a hold for this request alone. What is lost of it is lost until it is reclaimed. */
  #sendSingle(isolate: Borrower, request: HoldRequest, scopes: Scope[], admit: () => void): void {
    const id = `${isolate.id}/${++this.#requests}`;
    const items = structuredClone(isolate.memory.wanted(request, scopes));
    const named = { id, request: { orgId: ORG, teamId: TEAM, requestId: request.requestId } };
    const asked = { items, cheap: false, longestMs: 1, waitMs: 0 };
    const message = { isolate: isolate.id, ...named, ...asked };
    const less = this.#requests % 2 === 0;
    let taken = false;
    this.flying.push({
      arrive: () => {
        const reply = structuredClone(this.book.single(message, this.now, less));
        return () => {
          const runs = this.running.some(({ requestId }) => requestId === request.requestId);
          // Who asked is answered once; it comes again only to who runs on it.
          if (!isolate.alive || !reply.granted || (taken && !runs)) return;
          taken = true;
          const { grants } = reply;
          isolate.memory.acquired(request.requestId, id, scopes, grants, this.clock(isolate));
          if (!this.#over.has(request.requestId)) admit();
          isolate.memory.giveUp(request);
          this.#sendSpare(isolate);
        };
      },
    });
  }

  #sendSpare(isolate: Borrower): void {
    for (const { items, singles } of isolate.memory.spare(this.clock(isolate)).values()) {
      this.#sendReturn(isolate, items, singles);
    }
  }

  raise(request: Running, by: number): void {
    const { isolate, keyId, requestId, since } = request;
    const max = plus(request.max, { cost: by, requests: 0, tokens: by * 2 });
    this.#admit(isolate, keyId, max, requestId, since);
  }

  #admit(
    isolate: Borrower,
    keyId: string,
    max: Amount,
    requestId: string,
    since: number,
    again = false,
  ): void {
    const { memory } = isolate;
    const min = { ...max, cost: Math.ceil(max.cost / 4) };
    const request = { orgId: ORG, teamId: TEAM, requestId, scopes: this.scopes(keyId), max, min };
    const at = this.clock(isolate);
    const hold = memory.admit(request, at);
    const scopes = hold
      ? memory.renewals(request.scopes, at)
      : (memory.wait(request, at), memory.lacking(request, at));
    const near = new Set(hold ? [] : memory.tight(scopes, at));
    const ask = scopes.filter((scope) => !near.has(scope));
    if (ask.length > 0) this.#sendHold(isolate, memory.ask(ask, at));
    else if (near.size > 0 && !again) {
      const admit = () => this.#admit(isolate, keyId, max, requestId, since, true);
      this.#sendSingle(isolate, request, [...near], admit);
    }
    if (!hold) return;
    if (since === this.now) this.#checkAdmission(hold.leases);
    const known = this.running.find((each) => each.requestId === requestId);
    const { leases, amount } = hold;
    if (known) Object.assign(known, { leases, max: amount });
    else this.running.push({ requestId, isolate, keyId, max: amount, leases, since });
  }

  /** By the ledger's clock, nothing is admitted after a lease's time, nor after its window. */
  #checkAdmission(refs: LeaseRef[]): void {
    for (const { leaseId, windowId } of refs) {
      const lease = this.storage.leases.get(leaseId);
      if (!lease || this.now >= lease.grantedAt + lease.ttlMs) this.breaches.push("admitted late");
      if (windowId !== this.windowId()) this.breaches.push("admitted in a window that is over");
    }
  }

  /** What an isolate returns for the first time, it has. */
  #checkReturn(isolate: Borrower, items: readonly ReturnItem[]): void {
    for (const { scope, n, give } of items) {
      const known = this.storage.messages.get(`${isolate.id} ${scopeKey(scope)}`);
      if (known !== null && n <= known.n) continue;
      for (const { leaseId, amount } of give) {
        const lease = this.storage.leases.get(leaseId);
        if (!lease || !covers(lease.left, amount)) this.breaches.push("returned too much");
      }
    }
  }

  #sendHold(isolate: Borrower, items: HoldItem[]): void {
    const sent = structuredClone({ isolate: isolate.id, items });
    this.flying.push({
      arrive: () => {
        this.#checkReturn(isolate, sent.items);
        const reply: HoldReply = structuredClone(this.book.hold(sent, this.now));
        return () => isolate.alive && isolate.memory.answered(items, reply);
      },
    });
  }

  #sendReturn(isolate: Borrower, items: ReturnItem[], singles: string[] = []): void {
    const sent = structuredClone({ isolate: isolate.id, items, singles });
    this.flying.push({
      arrive: () => {
        this.#checkReturn(isolate, sent.items);
        this.book.return(sent, this.now);
        return () => isolate.alive && isolate.memory.returned(items);
      },
    });
  }

  /** The request ends; its row waits in the isolate for a flush. */
  settle(request: Running, cost: number): void {
    const { requestId, isolate, keyId, since } = request;
    this.#end(request);
    this.ended.push(request);
    const ids = { orgId: ORG, teamId: TEAM, requestId };
    const row = { ...rowOf(ids, keyId, [], { cost, tokens: cost * 2 }, since), userId: "u1" };
    isolate.memory.settle(row, this.clock(isolate));
  }

  /** A request that ended before ends once more, with another row. */
  settleAgain({ requestId, isolate, keyId, leases, since }: Running, cost: number): void {
    if (!isolate.alive) return;
    const ids = { orgId: ORG, teamId: TEAM, requestId };
    const row = { ...rowOf(ids, keyId, leases, { cost, tokens: cost * 2 }, since), userId: "u1" };
    isolate.memory.settle(row, this.clock(isolate));
    isolate.memory.release(`hold_${requestId}`, this.clock(isolate));
  }

  /** It spent nothing; one that is on record ends with a row all the same. */
  release(request: Running): void {
    if (this.charges.has(request.requestId)) return this.settle(request, 0);
    this.#end(request);
    request.isolate.memory.release(`hold_${request.requestId}`, this.clock(request.isolate));
  }

  /** Its context ends and nothing of it runs any more; a decision on record is found by reconciliation. */
  cut(request: Running, onRecord: boolean): void {
    this.#end(request);
    for (const { leaseId } of request.leases) this.owed.add(leaseId);
    if (onRecord) this.abandoned.push(request);
  }

  flush(isolate: Borrower): void {
    const { queue } = isolate.memory;
    const rows = structuredClone([...queue.values()]);
    if (rows.length === 0) return;
    this.flying.push({
      arrive: () => {
        const results: SettleResult[] = this.book.settle(rows, this.now);
        for (const row of rows) this.#charged(row);
        return () => {
          for (const { requestId } of results) queue.delete(requestId);
        };
      },
    });
  }

  #charged(row: SettleRow): void {
    const known = this.charges.get(row.requestId);
    if (known?.real === true) return;
    const [attempt] = row.attempts;
    const amount = { cost: attempt?.cost ?? 0, requests: 1, tokens: attempt?.usage.input ?? 0 };
    const windows = this.#windows(row);
    this.charges.set(row.requestId, { amount, real: true, windows, leases: row.leases });
  }

  /** Each scope is charged in the window that admitted the request, or now where none did. */
  #windows({ leases, keyId }: { leases: LeaseRef[]; keyId?: string }): Map<string, string> {
    const now = this.windowId();
    const windows = new Map(this.scopes(keyId ?? "").map((scope) => [scopeKey(scope), now]));
    for (const { scope, windowId } of leases.toReversed()) windows.set(scopeKey(scope), windowId);
    return windows;
  }

  /** Reconciliation finds a decision without an outcome, rightly or too early. */
  reconcile({ requestId, keyId, leases, max, since }: Running): void {
    const ids = { orgId: ORG, teamId: TEAM, requestId, keyId, userId: "u1" };
    const rest = { model: "m", endpoint: "chat", stream: false, decidedAt: since };
    this.book.settleAbandoned({ ...ids, ...rest, leases }, this.now);
    if (!this.charges.has(requestId)) {
      const windows = this.#windows({ leases, keyId });
      this.charges.set(requestId, { amount: max, real: false, windows, leases });
    }
  }

  /** The isolate is gone with all its memory; another takes its place. */
  crash(at: number, onRecord: (request: Running) => boolean): void {
    const isolate = this.isolates[at];
    if (!isolate) return;
    isolate.alive = false;
    for (const request of this.running.filter((each) => each.isolate === isolate)) {
      this.cut(request, onRecord(request));
    }
    this.dead.add(isolate.id);
    this.isolates[at] = this.#isolate(`${isolate.id}+`, isolate.skew);
  }

  idle(isolate: Borrower): void {
    const { holds, returns } = isolate.memory.idle(this.clock(isolate));
    if (holds.length > 0) this.#sendHold(isolate, holds);
    if (returns.length > 0) this.#sendReturn(isolate, returns);
  }

  /** Something that is under way arrives; `again` leaves it under way. */
  deliver(at: number, again: boolean): void {
    const index = this.flying.length === 0 ? 0 : at % this.flying.length;
    const [one] = again ? [this.flying[index]] : this.flying.splice(index, 1);
    const answer = one?.arrive();
    if (answer) this.answers.push(answer);
  }

  /** Everything that is under way arrives, and so do the answers. */
  deliverAll(): void {
    while (this.flying.length > 0) this.deliver(0, false);
    while (this.answers.length > 0) this.answer(0);
  }

  drop(at: number): void {
    if (this.flying.length > 0) this.flying.splice(at % this.flying.length, 1);
  }

  answer(at: number): void {
    if (this.answers.length > 0) this.answers.splice(at % this.answers.length, 1)[0]?.();
  }

  loseAnswer(at: number): void {
    if (this.answers.length > 0) this.answers.splice(at % this.answers.length, 1);
  }

  /** Time passes; no request outlives the longest. */
  advance(ms: number): void {
    this.now += ms;
    for (const request of this.running.filter(({ since }) => this.now - since > LONGEST_MS)) {
      this.settle(request, request.max.cost);
    }
  }

  /** Everything ends: requests, messages, leases. */
  quiesce(): void {
    for (let [next] = this.running; next; [next] = this.running) this.settle(next, 1);
    this.deliverAll();
    for (const request of this.abandoned) this.reconcile(request);
    for (let round = 0; round < 6; round++) {
      this.advance(3_000);
      for (const isolate of this.isolates) {
        this.flush(isolate);
        this.idle(isolate);
      }
      this.deliverAll();
    }
  }

  #end(request: Running): void {
    this.#over.add(request.requestId);
    this.running.splice(this.running.indexOf(request), 1);
  }

  /** Whether it is right that something is left over on a lease. */
  isOwed({ leaseId, isolate }: LeaseRow): boolean {
    return this.owed.has(leaseId) || this.dead.has(isolate);
  }

  get allScopes(): Scope[] {
    return [...this.scopes("k1"), { kind: "key", id: "k2" }];
  }
}
