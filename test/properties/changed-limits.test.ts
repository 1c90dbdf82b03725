import fc from "fast-check";
import { expect, test } from "vitest";
import { LedgerBook } from "../../durable-objects/ledger-book.ts";
import type { LeaseRef } from "../../worker/core/account.ts";
import { DEFAULT_TIERS } from "../../worker/core/limits.ts";
import type { Limits } from "../../worker/core/limits.ts";
import { homeOf, scopeKey } from "../../worker/core/scope.ts";
import type { Scope } from "../../worker/core/scope.ts";
import { LedgerMemory } from "../support/ledger-memory.ts";
import { ORG, rowOf } from "../support/settle-row.ts";

const NOW = Date.UTC(2026, 2, 30, 9, 20);
/** `null` = no limits at all; no window of these begins while the test lasts. */
const DURATIONS = [null, undefined, "1h", "6h", "1d", "1w", "30d", "5d"];
const RESERVED = 1_000;
const KEY: Scope = { kind: "key", id: "k0" };
const WITHIN: Scope = { kind: "model", id: "key:k0/m0" };
const WHOLE: Scope = { kind: "org", id: ORG };
const teamOf = (id: string): Scope => ({ kind: "team", id });
const SCOPES = [teamOf("t1"), teamOf("t2"), KEY, WITHIN, WHOLE];

interface Request {
  requestId: string;
  teamId: string;
  leases: LeaseRef[];
  charged: { cost: number; estimated: boolean } | null;
}

/** Ledgers whose outboxes are emptied after each step, and one key that moves between two teams. */
class World {
  readonly requests: Request[] = [];
  readonly limits = new Map<string, Limits | null>();
  #team = "t1";
  #now = NOW;
  #n = 0;
  readonly #books = new Map<string, LedgerBook>();

  #book(home: string): LedgerBook {
    const known = this.#books.get(home) ?? new LedgerBook(new LedgerMemory());
    this.#books.set(home, known);
    return known;
  }

  begin(held: number): void {
    const requestId = `r${++this.#n}`;
    // The team's money always is held.
    const scopes = [teamOf(this.#team), KEY, WITHIN, WHOLE].filter(
      (_, at) => at === 0 || (held >> at) % 2 === 1,
    );
    const leases: LeaseRef[] = [];
    for (const [home, own] of Map.groupBy(scopes, (scope) => homeOf(scope) ?? this.#team)) {
      const max = { cost: RESERVED, requests: 1, tokens: 0 };
      const request = { orgId: ORG, teamId: this.#team, requestId };
      const items = own.map((scope) => ({ scope, max, min: max }));
      const more = { cheap: false, longestMs: 1, waitMs: 0, isolate: "i" };
      const reply = this.#book(home).single(
        { id: requestId, request, items, ...more },
        this.#now,
        false,
      );
      if (!reply.granted) throw new Error("There is room for everything here.");
      reply.grants.forEach(({ leaseId, windowId, revision, lent }, at) => {
        const scope = own[at];
        if (scope)
          leases.push({ scope, leaseId, windowId, revision, reserved: lent, single: true });
      });
    }
    this.requests.push({ requestId, teamId: this.#team, leases, charged: null });
  }

  end(request: Request | undefined, cost: number): void {
    if (!request || request.charged?.estimated === false) return;
    request.charged = { cost, estimated: false };
    const row = rowOf(
      { orgId: ORG, ...request },
      KEY.id,
      request.leases,
      { cost, tokens: 0 },
      this.#now,
    );
    this.#book(request.teamId).settle([{ ...row, names: [{ name: "m0", cost }] }], this.#now);
  }

  abandon(request: Request | undefined): void {
    if (!request || request.charged !== null) return;
    const { requestId, teamId, leases } = request;
    request.charged = { cost: RESERVED, estimated: true };
    const rest = { model: "m", endpoint: "chat", stream: false, decidedAt: this.#now };
    const payer = { orgId: ORG, teamId, keyId: KEY.id };
    this.#book(teamId).settleAbandoned({ requestId, ...payer, leases, ...rest }, this.#now);
  }

  define(scope: Scope, duration: string | null | undefined): void {
    const own = { timeZone: "UTC", since: 0, tiers: DEFAULT_TIERS, maxBudget: 1e12 };
    const limits = duration === null ? null : { ...own, ...(duration && { duration }) };
    this.limits.set(scopeKey(scope), limits);
    const home = scope.kind === "team" ? scope.id : (homeOf(scope) ?? this.#team);
    this.#book(home).define([{ scope, revision: ++this.#n, limits }], this.#now);
  }

  move(): void {
    const [from, to] = this.#team === "t1" ? ["t1", "t2"] : ["t2", "t1"];
    const moved = { orgId: ORG, from, to };
    for (const scope of [KEY, WITHIN]) {
      const revision = ++this.#n;
      const limits = this.limits.get(scopeKey(scope)) ?? null;
      this.#book(from).define([{ scope, revision, limits: null, moved }], this.#now);
      this.#book(to).define([{ scope, revision, limits }], this.#now);
    }
    this.#team = to;
  }

  /** Time passes, and what ledgers have for each other arrives, twice. */
  rest(): void {
    this.#now += 7;
    for (let left = true; left;) {
      left = false;
      for (const book of this.#books.values()) {
        for (const item of book.outbox(1_000)) {
          book.delivered([item.seq]);
          left = true;
          for (const _ of [1, 2]) {
            if (item.kind === "debit") this.#book(item.home).debit([item.debit], this.#now);
            if (item.kind === "spent") this.#book(item.home).spent([item], this.#now);
          }
        }
      }
    }
  }

  /** What a scope spent by all ledgers, and what requests came to that are charged to it. */
  sums(scope: Scope): [spent: number, charged: number] {
    const key = scopeKey(scope);
    let spent = 0;
    for (const book of this.#books.values())
      spent += book.spend([scope], this.#now)[0]?.settled.cost ?? 0;
    let charged = 0;
    for (const request of this.requests) {
      if (request.charged === null || (scope.kind === "team" && scope.id !== request.teamId))
        continue;
      const held = request.leases.some((lease) => scopeKey(lease.scope) === key);
      // What nobody knows the end of is charged where it was held.
      if (!request.charged.estimated || held) charged += request.charged.cost;
    }
    return [spent, charged];
  }
}

test("whatever limits change while requests run, a scope's window has all that was spent in it, once", () => {
  const step = fc.record({
    what: fc.constantFrom("begin", "begin", "end", "end", "abandon", "define", "define", "move"),
    a: fc.nat(1_000),
    b: fc.nat(1_000),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const world = new World();
      const pick = <T>(list: readonly T[], at: number) => list[at % list.length] as T;
      for (const { what, a, b } of steps) {
        if (what === "begin") world.begin(b);
        if (what === "end") world.end(pick(world.requests, a), b * 2);
        if (what === "abandon") world.abandon(pick(world.requests, a));
        if (what === "define") world.define(pick(SCOPES, a), pick(DURATIONS, b));
        if (what === "move") world.move();
        world.rest();
        for (const scope of SCOPES) {
          // Ledgers keep no window of what spans teams, or of a model, while nothing limits it.
          const limited = (world.limits.get(scopeKey(scope)) ?? null) !== null;
          if (!limited && (scope === WITHIN || scope === WHOLE)) continue;
          const [spent, charged] = world.sums(scope);
          expect([what, scopeKey(scope), spent]).toEqual([what, scopeKey(scope), charged]);
        }
      }
    }),
    { numRuns: Number(process.env["ROUTERO_RUNS"] ?? 150) },
  );
});
