import { inTime, pause } from "../core/time.ts";
import { homeOf, scopesOf } from "../core/scope.ts";
import type {
  HoldAnswer,
  HoldRefusal,
  HoldRequest,
  LedgerPort,
  ReturnItem,
  SettleRow,
} from "../core/account.ts";
import type { Payer, Scope } from "../core/scope.ts";
import type { Isolate } from "../core/isolate.ts";
import type { Overbilled } from "../core/overbilling.ts";
import type { BudgetStanding } from "../core/policy.ts";
import type { AccountPort, Log } from "../core/ports.ts";
import { EscrowMemory } from "./escrow-memory.ts";
import { Overbilling } from "./escrow-overbilling.ts";
import { flightOf, isAwaited, unavailable } from "./escrow-place.ts";
import type { Memory, Place } from "./escrow-place.ts";
import { tightestOf, viewsOf } from "./escrow-views.ts";
import { Flights } from "./single-flight.ts";

/** How long other requests' messages are waited for before a request sends for itself. */
const PATIENCE_MS = 250;
/** A call that did not answer in this time failed; what it did is not known. */
const CALL_MS = 2_000;
/** How often a request asks for slices of what it lacks before it is held by itself. */
const MAX_ASKS = 2;
/** How often a request tries to be held by itself; others may take what its slices had meanwhile. */
const MAX_SINGLES = 6;
/** How long a request waits for what others have reserved, in all. */
const WAIT_MS = 1_000;
const LONGEST_MS = 600_000;
const MAX_FAILURES = 2;
const MAX_JITTER_MS = 50;
/** Settlements that end within the same so many milliseconds go as one call. */
const SETTLE_EVERY_MS = 100;
/** Rows of one settle call. */
const SETTLE_ROWS = 64;
/** A settlement is tried again for so long; the platform ends a request's context 30 s after its response. */
const SETTLE_MS = 25_000;
const MIN_RETRY_MS = 50;
const MAX_RETRY_MS = 3_000;
/** With so many rows unsettled nothing more is admitted: the memory of an isolate is not a store. */
const MAX_QUEUE = 4_000;
/** How long one request's context carries that idle leases go back. */
const TIDY_MS = 20_000;
const MAX_LEDGERS = 1_000;

export interface EscrowParts {
  isolate: Isolate;
  /** The ledger of a team, or of what spans teams (`homeOf`). */
  ledger: (orgId: string, home: string) => LedgerPort;
  now: () => number;
  /** Keeps work alive within this request's own context. */
  waitUntil: (work: Promise<unknown>) => void;
  /** Told of a deployment that bills beyond its bound; it keeps its own work alive. */
  overbilled?: (found: Overbilled) => void;
  log: Log;
}

const memoryOf = new WeakMap<Isolate, Memory>();

/**
 * The account of an isolate: it spends slices that ledgers lent it. A request whose scopes are all in stock
 * is admitted without any I/O; others ask for everything they lack in one call. A settlement is never lost while the
 * isolate lives: it stays in the isolate's memory until the ledger acknowledged it.
 */
export function makeEscrow(parts: EscrowParts): AccountPort {
  return new Escrow(parts);
}

class Escrow implements AccountPort {
  readonly #parts: EscrowParts;
  readonly #memory: Memory;

  constructor(parts: EscrowParts) {
    this.#parts = parts;
    let memory = memoryOf.get(parts.isolate);
    if (!memory) {
      const overbilling = new Overbilling();
      memory = { n: 0, ledgers: new Map(), flights: new Flights(), overbilling };
      memoryOf.set(parts.isolate, memory);
    }
    this.#memory = memory;
  }

  /** Throws `control_plane_unavailable` when the ledger can't be reached and the stock does not suffice. */
  async hold(request: HoldRequest): Promise<HoldAnswer> {
    const place = this.#place(request);
    const { book } = place;
    if (book.queue.size >= MAX_QUEUE) throw unavailable();
    const warm = this.#admit(place, request);
    if (warm) return warm;
    book.wait(request, this.#parts.now());
    try {
      return await this.#acquire(place, request);
    } finally {
      book.unwait(request);
      book.giveUp(request);
      this.#tidy(place);
      this.#giveSpare(place);
    }
  }

  /**
   * Resolves once the ledger has acknowledged the row, or when trying longer is in vain; never rejects. The work is in
   * the request's own `waitUntil` already: nobody has to await it.
   */
  settle(row: SettleRow): Promise<void> {
    const place = this.#place(row);
    const now = this.#parts.now();
    const held = place.book.settle(row, now);
    const found = held && this.#memory.overbilling.learn(row, held, now);
    if (found) this.#parts.overbilled?.(found);
    const delivery = this.#deliver(place, row.requestId);
    this.#parts.waitUntil(delivery);
    this.#tidy(place);
    this.#giveSpare(place);
    return delivery;
  }

  overbilling(orgId: string, deployment: string, known: number): number {
    return this.#memory.overbilling.of(orgId, deployment, known, this.#parts.now());
  }

  standing(payer: Payer): BudgetStanding | undefined {
    const now = this.#parts.now();
    const scopes = scopesOf(payer);
    const views = this.#place(payer).book.views(scopes);
    return tightestOf(scopes, views, now);
  }

  async release(holdId: string): Promise<void> {
    for (const known of this.#memory.ledgers.values()) {
      if (!known.book.release(holdId, this.#parts.now())) continue;
      const place = this.#place(known);
      this.#tidy(place);
      return this.#giveSpare(place);
    }
  }

  #place({ orgId, teamId }: { orgId: string; teamId: string }): Place {
    const name = `${orgId}/${teamId}`;
    const { ledgers } = this.#memory;
    const book = ledgers.get(name)?.book ?? new EscrowMemory(() => ++this.#memory.n);
    ledgers.delete(name);
    if (ledgers.size >= MAX_LEDGERS) {
      for (const [other, known] of ledgers) if (known.book.isEmpty) ledgers.delete(other);
    }
    ledgers.set(name, { orgId, teamId, book });
    // A stub belongs to the request that made it: each call gets its own (PLATFORM 3).
    const ledger = (home: string | null) => this.#parts.ledger(orgId, home ?? teamId);
    return { name, book, borrower: `${this.#parts.isolate.id}/${teamId}`, ledger };
  }

  #admit(place: Place, request: HoldRequest): HoldAnswer | null {
    const now = this.#parts.now();
    const hold = place.book.admit(request, now);
    if (hold === null) return null;
    this.#renewBehind(place, place.book.renewals(request.scopes, now));
    const { holdId, leases, amount } = hold;
    const views = viewsOf(place.book, request, now);
    return { granted: true, holdId, leases, amount, views };
  }

  async #acquire(place: Place, request: HoldRequest): Promise<HoldAnswer> {
    const [{ now }, { book }] = [this.#parts, place];
    const patience = now() + PATIENCE_MS;
    const until = now() + WAIT_MS;
    for (let asks = 0, singles = 0, failures = 0; singles < MAX_SINGLES;) {
      const lacking = book.lacking(request, now());
      const near = new Set(asks < MAX_ASKS ? book.tight(lacking, now()) : lacking);
      const { flying, own } = this.#divide(
        place,
        lacking.filter((scope) => !near.has(scope)),
        now() < patience,
      );
      if (own.length > 0) asks++;
      if (own.length === 0 && flying.length === 0) singles++;
      try {
        await Promise.all([own.length > 0 && this.#ask(place, own), ...flying]);
        if (own.length === 0 && flying.length === 0 && near.size > 0) {
          const refusal = await this.#single(place, request, [...near], until);
          const views = viewsOf(book, request, now()).filter((view) => view !== null);
          if (refusal) return { ...refusal, views };
        }
      } catch (cause) {
        if (++failures === MAX_FAILURES) throw unavailable(cause);
        await pause(Math.random() * MAX_JITTER_MS);
      }
      const admitted = this.#admit(place, request);
      if (admitted) return admitted;
    }
    throw unavailable();
  }

  /**
   * Holds for this request alone, ledger after ledger, what spans teams first. Nobody waits while holding: only the first
   * ledger is waited at, and where a later one has to be, the request gives up what it has and begins there.
   */
  async #single(
    place: Place,
    request: HoldRequest,
    scopes: readonly Scope[],
    until: number,
  ): Promise<HoldRefusal | null> {
    const [{ now }, { book }] = [this.#parts, place];
    const homes = [...Map.groupBy(scopes, homeOf)].toSorted(([a], [b]) =>
      (a ?? "") > (b ?? "") ? -1 : 1,
    );
    for (;;) {
      let waited: number | null = null;
      for (const [at, [home, own]] of homes.entries()) {
        const waitMs = at === 0 ? Math.max(0, until - now()) : 0;
        const refusal = await this.#singleAt(place, request, home, own, waitMs);
        if (refusal === null) continue;
        if (at === 0 || !refusal.waits || now() >= until) return refusal;
        waited = at;
        break;
      }
      if (waited === null) return null;
      book.giveUp(request);
      this.#giveSpare(place);
      homes.unshift(...homes.splice(waited, 1));
    }
  }

  async #singleAt(
    place: Place,
    request: HoldRequest,
    home: string | null,
    scopes: readonly Scope[],
    waitMs: number,
  ): Promise<HoldRefusal | null> {
    const { book, borrower } = place;
    const { orgId, teamId, requestId, cheap = false, longestMs = LONGEST_MS } = request;
    const id = `${borrower}/${++this.#memory.n}`;
    const items = book.wanted(request, scopes);
    const asked = { id, request: { orgId, teamId, requestId }, items };
    const message = { isolate: borrower, ...asked, cheap, longestMs, waitMs };
    const ask = () => inTime(CALL_MS, place.ledger(home).single(message));
    try {
      const reply = await ask().catch(ask);
      if (!reply.granted) return reply;
      book.acquired(requestId, id, scopes, reply.grants, this.#parts.now());
      return null;
    } catch (cause) {
      // Whether it was granted is not known: it is given back under its id, before or after it comes.
      book.drop(home, id);
      throw cause;
    }
  }

  /** Which scopes another request is asking for just now, and which are left for this one. */
  #divide(place: Place, scopes: Scope[], patient: boolean) {
    const flying: Promise<void>[] = [];
    const own: Scope[] = [];
    for (const scope of scopes) {
      const flight = patient
        ? this.#memory.flights.follow(flightOf(place, scope), this.#parts.now())
        : null;
      if (flight) flying.push(flight);
      else own.push(scope);
    }
    return { flying, own };
  }

  /** Asks for slices, of each ledger in one message. */
  async #ask(place: Place, scopes: Scope[]): Promise<void> {
    const { now, waitUntil } = this.#parts;
    const { book, borrower } = place;
    const asked = [...Map.groupBy(scopes, homeOf)].map(([home, own]) => {
      const items = book.ask(own, now());
      const reply = inTime(CALL_MS, place.ledger(home).hold({ isolate: borrower, items }));
      const done = reply.then((grants) => book.answered(items, grants));
      for (const scope of own) {
        this.#memory.flights
          .start(flightOf(place, scope), now(), () => done, waitUntil)
          .catch(() => undefined);
      }
      return done;
    });
    await Promise.all(asked);
  }

  #renewBehind(place: Place, scopes: Scope[]): void {
    const now = this.#parts.now();
    const due = scopes.filter((scope) => !this.#memory.flights.recent(flightOf(place, scope), now));
    // A failure is seen by the next request that finds too little in stock.
    if (due.length > 0) this.#ask(place, due).catch(() => undefined);
  }

  /**
   * Sends a row together with others that wait, until it is known to be settled. All rows of an isolate leave at the
   * same beats of the clock, each by a timer of its own request: whoever comes first takes all of them along, and
   * nobody depends on another. What somebody may be waiting for leaves at once.
   */
  async #deliver(place: Place, requestId: string): Promise<void> {
    const { now, waitUntil, log } = this.#parts;
    const { queue } = place.book;
    if (!isAwaited(queue.get(requestId))) await pause(SETTLE_EVERY_MS - (now() % SETTLE_EVERY_MS));
    const name = `settle ${place.name}`;
    const until = now() + SETTLE_MS;
    const patience = now() + PATIENCE_MS;
    for (let failures = 0; queue.has(requestId);) {
      const flight = now() < patience ? this.#memory.flights.follow(name, now()) : null;
      if (flight) {
        await flight;
        continue;
      }
      try {
        const flush = () => this.#flush(place, requestId);
        await this.#memory.flights.start(name, now(), flush, waitUntil);
      } catch {
        if (now() >= until) {
          log.error("settlement waits in memory", { request_id: requestId, waiting: queue.size });
          return;
        }
        await pause(Math.min(MIN_RETRY_MS * 2 ** failures++, MAX_RETRY_MS));
      }
    }
  }

  async #flush(place: Place, requestId: string): Promise<void> {
    const { queue } = place.book;
    const own = queue.get(requestId);
    if (!own) return;
    const rows = [own];
    for (const row of queue.values()) {
      if (rows.length === SETTLE_ROWS) break;
      if (row !== own) rows.push(row);
    }
    for (const { requestId, state } of await inTime(CALL_MS, place.ledger(null).settle(rows))) {
      queue.delete(requestId);
      if (state === "stale" || state === "refused") {
        this.#parts.log.error("settlement refused", { request_id: requestId, state });
      }
    }
    if (queue.has(requestId)) throw new Error("The ledger did not answer for every row.");
  }

  /** Sees to it that what is not used any more goes back, carried by the last request that used it. */
  #tidy(place: Place): void {
    const { book } = place;
    const now = this.#parts.now();
    const { idleMs, tidyAt } = book;
    // One that is overdue was cut with its request.
    if (idleMs === null || (now < tidyAt + idleMs && tidyAt <= now + idleMs)) return;
    book.tidyAt = now + idleMs;
    this.#parts.waitUntil(this.#returnIdle(place));
  }

  async #returnIdle(place: Place): Promise<void> {
    const [{ now }, { book }] = [this.#parts, place];
    const until = now() + TIDY_MS;
    for (let wait = book.idleMs; wait !== null && now() < until; wait = book.idleMs) {
      book.tidyAt = now() + wait;
      await pause(wait);
      this.#giveSpare(place);
      const { holds, returns } = book.idle(now());
      // What failed is sent again in the next round, under the same number.
      await Promise.allSettled([
        ...[...Map.groupBy(holds, ({ scope }) => homeOf(scope))].map(([home, items]) =>
          inTime(CALL_MS, place.ledger(home).hold({ isolate: place.borrower, items })).then(
            (reply) => book.answered(items, reply),
          ),
        ),
        ...[...Map.groupBy(returns, ({ scope }) => homeOf(scope))].map(([home, items]) =>
          this.#return(place, home, items, []),
        ),
      ]);
    }
    book.tidyAt = -Infinity;
  }

  /** Near a limit what is not used goes back at once: others wait for it. */
  #giveSpare(place: Place): void {
    if (!place.book.hasSpare) return;
    for (const [home, { items, singles }] of place.book.spare(this.#parts.now())) {
      const returned = this.#return(place, home, items, singles).catch(() => {
        // Shares of slices go with the next message of their scope; single holds' ids have to be said again.
        for (const id of singles) place.book.drop(home, id);
        this.#tidy(place);
      });
      this.#parts.waitUntil(returned);
    }
  }

  async #return(
    place: Place,
    home: string | null,
    items: ReturnItem[],
    singles: string[],
  ): Promise<void> {
    const message = { isolate: place.borrower, items, singles };
    await inTime(CALL_MS, place.ledger(home).return(message));
    place.book.returned(items);
  }
}
