import { inTime, pause } from "../core/time.ts";
import { scopeKey } from "../core/account.ts";
import type {
  HoldAnswer,
  HoldRefusal,
  HoldRequest,
  LedgerPort,
  Scope,
  SettleRow,
} from "../core/account.ts";
import { GatewayError } from "../core/errors.ts";
import type { Isolate } from "../core/isolate.ts";
import type { AccountPort, Log } from "../core/ports.ts";
import { EscrowMemory } from "./escrow-memory.ts";
import { IDLE_MS } from "./escrow-stock.ts";
import { Flights } from "./single-flight.ts";

/** How long other requests' messages are waited for before a request sends for itself. */
const PATIENCE_MS = 250;
/** A call that did not answer in this time failed; what it did is not known. */
const CALL_MS = 2_000;
/** How often a request asks for what it lacks before it is refused. */
const MAX_ASKS = 4;
const MAX_FAILURES = 2;
const MAX_JITTER_MS = 50;
/** Rows of one settle call. */
const SETTLE_ROWS = 64;
/** A settlement is tried again for so long; the platform ends a request's context 30 s after its response. */
const SETTLE_MS = 25_000;
const MIN_RETRY_MS = 50;
const MAX_RETRY_MS = 3_000;
/** With so many rows unsettled nothing more is admitted: the memory of an isolate is not a store. */
const MAX_QUEUE = 4_000;
/** Rounds of returning idle leases that one request's context carries. */
const TIDY_ROUNDS = 10;
const MAX_LEDGERS = 1_000;

export interface EscrowParts {
  isolate: Isolate;
  ledger: (orgId: string, teamId: string) => LedgerPort;
  now: () => number;
  /** Keeps work alive within this request's own context. */
  waitUntil: (work: Promise<unknown>) => void;
  log: Log;
}

/** The escrow of one isolate: a memory per ledger, flights and the number of its last message. */
interface Memory {
  n: number;
  /** By `org/team`, the most lately used last. */
  ledgers: Map<string, LedgerMemory>;
  flights: Flights;
}

interface LedgerMemory {
  orgId: string;
  teamId: string;
  book: EscrowMemory;
}

const memoryOf = new WeakMap<Isolate, Memory>();

/**
 * The account of an isolate: it spends slices that ledgers lent it (DESIGN §3). A request whose scopes are all in stock
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
      memory = { n: 0, ledgers: new Map(), flights: new Flights() };
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
      this.#tidy(place);
    }
  }

  /**
   * Resolves once the ledger has acknowledged the row, or when trying longer is in vain; never rejects. The work is in
   * the request's own `waitUntil` already: nobody has to await it.
   */
  settle(row: SettleRow): Promise<void> {
    const place = this.#place(row);
    place.book.settle(row, this.#parts.now());
    const delivery = this.#deliver(place, row.requestId);
    this.#parts.waitUntil(delivery);
    this.#tidy(place);
    return delivery;
  }

  async release(holdId: string): Promise<void> {
    for (const known of this.#memory.ledgers.values()) {
      if (known.book.release(holdId, this.#parts.now())) return this.#tidy(this.#place(known));
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
    return { name, book, ledger: () => this.#parts.ledger(orgId, teamId) };
  }

  #admit(place: Place, request: HoldRequest): HoldAnswer | null {
    const now = this.#parts.now();
    const hold = place.book.admit(request, now);
    if (hold === null) return null;
    this.#renewBehind(place, place.book.renewals(request.scopes, now));
    return { granted: true, holdId: hold.holdId, leases: hold.leases };
  }

  async #acquire(place: Place, request: HoldRequest): Promise<HoldAnswer> {
    const { now } = this.#parts;
    const patience = now() + PATIENCE_MS;
    for (let asks = 0, failures = 0; asks < MAX_ASKS;) {
      const { flying, own } = this.#divide(
        place,
        place.book.lacking(request, now()),
        now() < patience,
      );
      if (own.length > 0) asks++;
      try {
        const [refusal] = await Promise.all([
          own.length > 0 ? this.#ask(place, own) : null,
          ...flying,
        ]);
        if (refusal) return refusal;
      } catch (cause) {
        if (++failures === MAX_FAILURES) throw unavailable(cause);
        await pause(Math.random() * MAX_JITTER_MS);
      }
      const admitted = this.#admit(place, request);
      if (admitted) return admitted;
    }
    throw unavailable();
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

  async #ask(place: Place, scopes: Scope[]): Promise<HoldRefusal | null> {
    const { isolate, now, waitUntil } = this.#parts;
    const items = place.book.ask(scopes, now());
    let refusal: HoldRefusal | null = null;
    const asked = inTime(CALL_MS, place.ledger().hold({ isolate: isolate.id, items })).then(
      (reply) => {
        place.book.answered(items, reply);
        if (!reply.granted) refusal = reply;
      },
    );
    for (const scope of scopes) {
      this.#memory.flights
        .start(flightOf(place, scope), now(), () => asked, waitUntil)
        .catch(() => undefined);
    }
    await asked;
    return refusal;
  }

  #renewBehind(place: Place, scopes: Scope[]): void {
    const now = this.#parts.now();
    const due = scopes.filter((scope) => !this.#memory.flights.recent(flightOf(place, scope), now));
    // A failure is seen by the next request that finds too little in stock.
    if (due.length > 0) this.#ask(place, due).catch(() => undefined);
  }

  /** Sends a row together with others that wait, until it is known to be settled. */
  async #deliver(place: Place, requestId: string): Promise<void> {
    const { now, waitUntil, log } = this.#parts;
    const { queue } = place.book;
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
    for (const { requestId, state } of await inTime(CALL_MS, place.ledger().settle(rows))) {
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
    if (!book.hasStock || now - book.tidiedAt < 2 * IDLE_MS) return;
    book.tidiedAt = now;
    this.#parts.waitUntil(this.#returnIdle(place));
  }

  async #returnIdle(place: Place): Promise<void> {
    const { isolate, now } = this.#parts;
    const { book } = place;
    for (let round = 0; round < TIDY_ROUNDS && book.hasStock; round++) {
      book.tidiedAt = now();
      await pause(IDLE_MS);
      const { holds, returns } = book.idle(now());
      const ledger = place.ledger();
      const held =
        holds.length > 0 &&
        inTime(CALL_MS, ledger.hold({ isolate: isolate.id, items: holds })).then((reply) =>
          book.answered(holds, reply),
        );
      const returned =
        returns.length > 0 &&
        inTime(CALL_MS, ledger.return({ isolate: isolate.id, items: returns })).then(() =>
          book.returned(returns),
        );
      // What failed is sent again in the next round, under the same number.
      await Promise.allSettled([held, returned]);
    }
    book.tidiedAt = -Infinity;
  }
}

/** One ledger, as a request of this isolate sees it. */
interface Place {
  name: string;
  book: EscrowMemory;
  ledger: () => LedgerPort;
}

function flightOf(place: Place, scope: Scope): string {
  return `${place.name} ${scopeKey(scope)}`;
}

function unavailable(cause?: unknown): GatewayError {
  return new GatewayError(
    "control_plane_unavailable",
    "The account of this request can't be reached now.",
    { retryAfter: 1, cause },
  );
}
