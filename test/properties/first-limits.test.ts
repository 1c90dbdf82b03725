import fc from "fast-check";
import { expect, test } from "vitest";
import { LedgerBook } from "../../durable-objects/ledger-book.ts";
import type { SettleRow, SpentMessage } from "../../worker/core/account.ts";
import { DEFAULT_TIERS } from "../../worker/core/limits.ts";
import type { Limits } from "../../worker/core/limits.ts";
import { homeOf } from "../../worker/core/scope.ts";
import type { Scope } from "../../worker/core/scope.ts";
import { windowAt } from "../../worker/core/windows.ts";
import { LedgerMemory } from "../support/ledger-memory.ts";
import { ORG, rowOf } from "../support/settle-row.ts";

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 2, 30, 9, 20);
const TEAMS = ["t1", "t2"];
const DURATIONS = [undefined, "1h", "6h", "1d", "1w", "30d", "2mo"];
const ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"];

interface Request {
  team: number;
  model: number;
  cost: number;
  hoursAgo: number;
}

const requests = fc.array(
  fc.record<Request>({
    team: fc.nat(1),
    model: fc.nat(1),
    cost: fc.integer({ min: 1, max: 1000 }),
    hoursAgo: fc.double({ min: 0, max: 60 * 24, noNaN: true }),
  }),
  { maxLength: 40 },
);

function rowsOf(all: readonly Request[]): SettleRow[] {
  return all.map(({ team, model, cost, hoursAgo }, at) => {
    const request = { orgId: ORG, teamId: TEAMS[team] ?? "", requestId: `r${at}` };
    const startedAt = Math.floor(NOW - hoursAgo * HOUR);
    const row = rowOf(request, `k${team}`, [], { cost, tokens: 0 }, startedAt);
    return { ...row, userId: "u1", customerId: "c1", names: [{ name: `m${model}`, cost }] };
  });
}

function halfMonthOf({ startedAt }: SettleRow): number {
  return Math.floor(startedAt / (15 * 24 * HOUR));
}

/** Teams' ledgers, and those of what spans teams, told twice and late of everything. */
function settled(rows: readonly SettleRow[], batch: number): Map<string, LedgerBook> {
  const books = new Map<string, LedgerBook>();
  const bookOf = (home: string) => {
    const known = books.get(home) ?? new LedgerBook(new LedgerMemory());
    books.set(home, known);
    return known;
  };
  for (const teamId of TEAMS) {
    const own = rows
      .filter((row) => row.teamId === teamId)
      .toSorted((a, b) => a.startedAt - b.startedAt);
    const told = new Map<string, SpentMessage[]>();
    for (let at = 0; at < own.length; at += batch) {
      const together = own.slice(at, at + batch);
      // What began 29 days before it ends is refused.
      for (const some of Map.groupBy(together, halfMonthOf).values()) {
        const end = some.at(-1)?.startedAt ?? NOW;
        bookOf(teamId).settle(some, end);
        // A call that is sent again debits nothing twice.
        bookOf(teamId).settle(some, end);
      }
    }
    for (const item of bookOf(teamId).outbox(1_000)) {
      if (item.kind !== "spent") continue;
      const { from, seq, spent, home } = item;
      told.set(home, [...(told.get(home) ?? []), { from, seq, spent }]);
      bookOf(home).spent(structuredClone(told.get(home) ?? []), NOW);
    }
  }
  return books;
}

/** What scopes a request is charged to, told in the plainest way. */
const CHARGED: [Scope, (row: SettleRow) => boolean][] = [
  [{ kind: "org", id: ORG }, () => true],
  [{ kind: "team", id: "t1" }, (row) => row.teamId === "t1"],
  [{ kind: "team_member", id: "t1/u1" }, (row) => row.teamId === "t1"],
  [{ kind: "user", id: "u1" }, () => true],
  [{ kind: "key", id: "k0" }, (row) => row.keyId === "k0"],
  [{ kind: "customer", id: "c1" }, () => true],
  [{ kind: "group", id: "m1" }, (row) => row.names?.[0]?.name === "m1"],
  [
    { kind: "model", id: "key:k0/m1" },
    (row) => row.keyId === "k0" && row.names?.[0]?.name === "m1",
  ],
  [{ kind: "model", id: "customer:c1/m0" }, (row) => row.names?.[0]?.name === "m0"],
];

test("a first limit of any scope, and one with another window, counts what was spent in its window", () => {
  fc.assert(
    fc.property(
      requests,
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(...DURATIONS),
      fc.constantFrom(...DURATIONS),
      fc.constantFrom(...ZONES),
      (all, batch, first, then, timeZone) => {
        const rows = rowsOf(all);
        const books = settled(rows, batch);
        let revision = 0;
        for (const duration of [first, then]) {
          revision++;
          const limits: Limits = {
            maxBudget: 1,
            timeZone,
            since: 0,
            tiers: DEFAULT_TIERS,
            ...(duration !== undefined && { duration }),
          };
          const idAt = (at: number) => windowAt(duration, timeZone, 0, at).id;
          for (const [scope, charges] of CHARGED) {
            const book = books.get(homeOf(scope) ?? "t1") ?? new LedgerBook(new LedgerMemory());
            book.define([{ scope, revision, limits }], NOW);
            const expected = rows
              .filter((row) => charges(row) && idAt(row.startedAt) === idAt(NOW))
              .reduce((sum, { cost }) => sum + cost, 0);
            const [spend] = book.spend([scope], NOW);
            expect([scope, spend?.settled.cost]).toEqual([scope, expected]);
          }
        }
      },
    ),
    { numRuns: Number(process.env["ROUTERO_RUNS"] ?? 60) },
  );
});
