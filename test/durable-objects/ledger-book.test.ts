import { beforeEach, expect, test } from "vitest";
import { LedgerBook } from "../../durable-objects/ledger-book.ts";
import { LedgerSqlite } from "../../durable-objects/ledger-sqlite.ts";
import { abandonedDecision } from "../../durable-objects/abandoned.ts";
import { homeOf, scopeKey, scopesOf } from "../../worker/core/scope.ts";
import type { Grant, HoldItem, LeaseRef } from "../../worker/core/account.ts";
import type { Scope } from "../../worker/core/scope.ts";
import { NOTHING } from "../../worker/core/amount.ts";
import { DEFAULT_TIERS } from "../../worker/core/limits.ts";
import { readRecord } from "../../worker/core/audit-record.ts";
import type { AuditRecord } from "../../worker/core/audit.ts";
import { ObjectSqlite } from "../support/object-sqlite.ts";
import { ORG, rowOf, TEAM } from "../support/settle-row.ts";

const T = 1_700_000_000_000;
const MINUTE = 60_000;
const DAY = 86_400_000;
const KEY: Scope = { kind: "key", id: "k1" };
const IDS = { orgId: ORG, teamId: TEAM };

let object: ObjectSqlite;
let storage: LedgerSqlite;
let book: LedgerBook;
let n = 0;

function open(): void {
  storage = new LedgerSqlite(object.storage);
  book = new LedgerBook(storage);
}

beforeEach(() => {
  object = new ObjectSqlite();
  open();
});

const amount = (cost: number) => ({ cost, requests: cost > 0 ? 1 : 0, tokens: 0 });

function item(want: number, leaseId: string | null = null): HoldItem {
  return {
    scope: KEY,
    n: ++n,
    leaseId,
    give: [],
    worst: NOTHING,
    want: amount(want),
    longestMs: 0,
  };
}

function lent(items: HoldItem[], at = T, isolate = "i1"): Grant {
  const [grant] = book.hold({ isolate, items }, at);
  return grant ?? expect.fail("nothing was granted");
}

function refOf({ leaseId, windowId, revision }: Grant, reserved: number): LeaseRef {
  return { scope: KEY, leaseId, windowId, revision, reserved: amount(reserved) };
}

function row(requestId: string, cost: number, leases: LeaseRef[] = [], at = T) {
  return rowOf({ ...IDS, requestId }, "k1", leases, { cost, tokens: 0 }, at);
}

const keySpend = (at = T) => book.spend([KEY], at)[0];

test("reading the books of nobody writes nothing, not even a table", () => {
  expect(keySpend()).toMatchObject({ windowId: "life", settled: NOTHING, outstanding: NOTHING });
  expect([book.nextDue(), book.outbox(9)]).toEqual([null, []]);
  expect(object.sql.exec("SELECT name FROM sqlite_master").toArray()).toEqual([]);
});

test("a row is debited to every scope it belongs to, also without a lease, and only once", () => {
  const request = { ...row("r1", 7), userId: "u1", customerId: "c1", group: "g1" };
  expect(book.settle([request, request], T)).toEqual([
    { requestId: "r1", state: "settled" },
    { requestId: "r1", state: "known" },
  ]);
  // What spans teams is debited by its own ledger, and only where something was held of it.
  const scopes = scopesOf(request).filter((scope) => homeOf(scope) === null);
  expect(scopes.map(scopeKey)).toEqual(["team:t1", "team_member:t1/u1", "key:k1"]);
  for (const spend of book.spend(scopes, T)) expect(spend.settled).toEqual(amount(7));
  expect(book.outbox(9).map((each) => [each.seq, each.kind])).toEqual([
    [1, "usage"],
    [2, "outcome"],
    [3, "spent"],
    [4, "spent"],
  ]);
});

test("all attempts of a row are debited, and a row without any debits nothing", () => {
  const [attempt] = row("r1", 5).attempts;
  if (!attempt) expect.fail();
  const twice = { ...row("r1", 5), attempts: [attempt, { ...attempt, n: 2, cost: 6 }] };
  book.settle([twice, rowOf({ ...IDS, requestId: "r2" }, "k1", [], null, T)], T);
  expect(keySpend()?.settled).toEqual({ cost: 11, requests: 1, tokens: 0 });
});

test("a message that is sent again is answered as before and lends nothing; an older one nothing at all", () => {
  const first = item(100);
  const grant = lent([first]);
  expect(lent([first])).toEqual(grant);
  lent([item(50, grant.leaseId)]);
  expect(book.hold({ isolate: "i1", items: [first] }, T)).toEqual([null]);
  expect(keySpend()?.outstanding.cost).toBe(150);
});

test("a return counts once, whatever is sent again", () => {
  const grant = lent([item(100)]);
  const give = [{ leaseId: grant.leaseId, amount: amount(60) }];
  const message = { isolate: "i1", items: [{ scope: KEY, n: ++n, give }] };
  book.return(message, T);
  book.return(message, T);
  expect(keySpend()?.outstanding.cost).toBe(40);
});

test("a settlement frees what it spent of its lease; beyond its hold it is an overrun, debited in full", () => {
  const grant = lent([item(100)]);
  book.settle([row("r1", 30, [refOf(grant, 50)])], T);
  expect(keySpend()).toMatchObject({
    settled: { cost: 30 },
    outstanding: { cost: 70 },
    overrun: 0,
  });
  book.settle([row("r2", 80, [refOf(grant, 50)])], T);
  expect(keySpend()).toMatchObject({ settled: { cost: 110 }, outstanding: { cost: 20 } });
  expect(keySpend()?.overrun).toBe(30);
});

test("a lease that nobody accounts for is reclaimed after the longest request, and not before", () => {
  const grant = lent([item(100)]);
  const due = T + grant.ttlMs + 660_000;
  expect(book.nextDue()).toBe(due);
  book.tick(due - 1);
  expect(keySpend()).toMatchObject({ outstanding: { cost: 100 }, unattributed: { cost: 0 } });
  book.tick(due);
  expect(keySpend()).toMatchObject({ outstanding: { cost: 0 }, unattributed: { cost: 100 } });
  // A settlement that comes after all is debited, and is not unattributed any more.
  book.settle([row("r1", 30, [refOf(grant, 40)])], due + 1);
  expect(keySpend()).toMatchObject({ settled: { cost: 30 }, unattributed: { cost: 70 } });
});

test("a lease that is renewed for ever is followed by another, so that what got lost on it comes back", () => {
  let grant = lent([item(100)]);
  const { leaseId } = grant;
  // 60 of it are held by a request that was cut; the rest goes back as soon as there is a new lease.
  for (let at = T; at <= T + 30 * MINUTE; at += 2_000) {
    const next = item(0, grant.leaseId);
    grant = lent([next], at);
    book.tick(at);
  }
  expect(grant.leaseId).not.toBe(leaseId);
  expect(keySpend()?.unattributed.cost).toBe(100);
});

test("a lease belongs to one window and revision, lives no longer, and a request is charged to the window of its lease", () => {
  const define = (revision: number) => {
    const limits = { timeZone: "UTC", since: 0, tiers: DEFAULT_TIERS, duration: "1m" };
    book.define([{ scope: KEY, revision, limits }], T);
  };
  define(1);
  const early = Math.ceil(T / MINUTE) * MINUTE - 1_000;
  const old = lent([item(100)], early);
  expect(old.ttlMs).toBe(1_000);
  const later = early + 2_000;
  const next = lent([item(100, old.leaseId)], later);
  expect([next.leaseId === old.leaseId, next.windowId === old.windowId]).toEqual([false, false]);
  book.settle([row("r1", 30, [refOf(old, 50)])], later);
  expect(keySpend(later)?.settled.cost).toBe(0);
  expect(keySpend(early)?.settled.cost).toBe(30);
  define(2);
  const newest = lent([item(100, next.leaseId)], later);
  expect([newest.leaseId === next.leaseId, newest.revision]).toEqual([false, 2]);
});

test("a request that was raised in a later window is charged in each at most what it held there", () => {
  const limits = {
    timeZone: "UTC",
    since: 0,
    tiers: DEFAULT_TIERS,
    maxBudget: 100,
    duration: "1m",
  };
  book.define([{ scope: KEY, revision: 1, limits }], T);
  const hold = (id: string, cost: number, at: number) => {
    const items = [{ scope: KEY, max: amount(cost), min: amount(cost) }];
    const rest = { isolate: "i1", cheap: false, longestMs: 1, waitMs: 0 };
    const reply = book.single(
      { ...rest, id, items, request: { ...IDS, requestId: id } },
      at,
      false,
    );
    return reply.granted ? reply.grants.map((grant) => refOf(grant, cost)) : expect.fail();
  };
  book.settle([row("r1", 60, hold("s1", 60, T))], T);
  const refs = [...hold("s2", 40, T), ...hold("s3", 30, T + MINUTE)];
  book.settle([row("r2", 55, refs)], T + MINUTE);
  expect([keySpend(T), keySpend(T + MINUTE)]).toMatchObject([
    { settled: { cost: 100, requests: 2 }, outstanding: NOTHING, overrun: 0 },
    { settled: { cost: 15, requests: 0 }, outstanding: NOTHING, overrun: 0 },
  ]);
});

test("an abandoned decision is charged as reserved, once; its own row takes its place, once", () => {
  const grant = lent([item(100)]);
  const record: AuditRecord = {
    eventId: "evt_1",
    type: "request.routed",
    at: T,
    orgId: ORG,
    actor: "key:h",
    keyHandle: "h",
    requestId: "r1",
    data: {
      team_id: TEAM,
      key_id: "k1",
      model: "m",
      endpoint: "chat",
      stream: true,
      leases: JSON.parse(JSON.stringify([refOf(grant, 50)])),
    },
  };
  const decision = abandonedDecision(record) ?? expect.fail();
  expect(book.settleAbandoned(decision, T).state).toBe("settled");
  expect(book.settleAbandoned(decision, T).state).toBe("known");
  expect(keySpend()).toMatchObject({
    settled: { cost: 50 },
    estimated: { cost: 50 },
    outstanding: { cost: 50 },
  });
  const real = row("r1", 20, [refOf(grant, 50)]);
  expect(book.settle([real], T)).toEqual([{ requestId: "r1", state: "late" }]);
  expect(book.settle([real], T)).toEqual([{ requestId: "r1", state: "known" }]);
  expect(book.settleAbandoned(decision, T).state).toBe("known");
  expect(keySpend()).toMatchObject({
    settled: { cost: 20 },
    estimated: { cost: 0 },
    outstanding: { cost: 80 },
    late: 1,
  });
  const events = book.outbox(9).flatMap((each) => (each.kind === "usage" ? [each.event] : []));
  expect(events.map(({ revision, estimated, delta }) => [revision, estimated, delta.cost])).toEqual(
    [
      [1, true, 50],
      [2, false, -30],
    ],
  );
});

test("an estimate charges no scope more than was set aside in it", () => {
  const GROUP: Scope = { kind: "model", id: "key:k1/m" };
  const key = refOf(lent([item(100)]), 50);
  const group = { ...refOf(lent([{ ...item(100), scope: GROUP }]), 30), scope: GROUP };
  const decision = { ...row("r1", 0, [key, group]), decidedAt: T };
  expect(book.settleAbandoned(decision, T).state).toBe("settled");
  const [ofKey, ofGroup] = book.spend([KEY, GROUP], T);
  expect([ofKey?.settled.cost, ofGroup?.settled.cost]).toEqual([50, 30]);
  book.settle([row("r1", 20, [key, group])], T);
  const [later, ofGroupLater] = book.spend([KEY, GROUP], T);
  expect([later?.settled.cost, ofGroupLater?.settled.cost]).toEqual([20, 20]);
});

test("outcome records are fit for the log and hold no more than ids, counts and codes", () => {
  book.settle([{ ...row("r1", 20), keyHandle: "sha256:abc", outcome: "cancelled" }], T);
  const [, outcome] = book.outbox(9);
  if (outcome?.kind !== "outcome") expect.fail();
  expect(readRecord(outcome.record)).toHaveProperty("record");
  expect(outcome.record).toMatchObject({ type: "request.cancelled", actor: "key:sha256:abc" });
});

test("a row that is not well formed, or older than what is remembered, is not debited and says so", () => {
  const [attempt] = row("r1", 5).attempts;
  if (!attempt) expect.fail();
  const negative = { ...row("r1", 5), attempts: [{ ...attempt, cost: -5 }] };
  const fraction = { ...row("r2", 5), attempts: [{ ...attempt, cost: 0.5 }] };
  const old = row("r3", 5, [], T - 30 * DAY);
  expect(book.settle([negative, fraction, old, row("r4", 5)], T).map((each) => each.state)).toEqual(
    ["refused", "refused", "stale", "settled"],
  );
  const { tags: _, ...decision } = { ...row("r5", 5), decidedAt: T };
  const leases = [{ ...refOf(lent([item(9)]), 5), reserved: amount(-5) }];
  expect(book.settleAbandoned({ ...decision, leases }, T).state).toBe("refused");
  expect(keySpend()?.settled.cost).toBe(5);
});

test("a settled request is remembered until its repetition would be refused for its age", () => {
  book.settle([row("r1", 5)], T);
  const later = T + 29 * DAY + 1;
  book.tick(later);
  expect(book.settle([row("r1", 5)], later)[0]?.state).toBe("known");
  book.tick(T + 31 * DAY);
  expect(book.settle([row("r1", 5)], T + 31 * DAY)[0]?.state).toBe("stale");
});

test("what left the outbox does not come again, also for another instance on the same storage", () => {
  book.settle([row("r1", 5), row("r2", 5)], T);
  book.delivered([1, 3]);
  open();
  expect(book.outbox(9).map((each) => each.seq)).toEqual([2, 4, 5]);
  expect(book.settle([row("r1", 5)], T)[0]?.state).toBe("known");
  book.settle([row("r3", 5)], T);
  expect(book.outbox(9).map((each) => each.seq)).toEqual([2, 4, 5, 6, 7, 8]);
});

test("a fault at any statement of a settlement leaves the books as they were; sent again it counts once", () => {
  const grant = lent([item(100)]);
  const request = row("r1", 30, [refOf(grant, 50)]);
  for (let at = 0, failed = true; failed; at++) {
    object.fault = (step) => {
      if (step === at) throw new Error("The disk is gone.");
    };
    try {
      book.settle([request], T);
      failed = false;
    } catch {
      object.fault = () => undefined;
      expect(keySpend()).toMatchObject({ settled: NOTHING, outstanding: { cost: 100 } });
      expect(book.outbox(9)).toEqual([]);
      open();
    }
    expect(at).toBeLessThan(50);
  }
  expect(keySpend()).toMatchObject({ settled: { cost: 30 }, outstanding: { cost: 70 } });
  expect(book.outbox(9)).toHaveLength(3);
});

test("what is in memory of the outbox is what lies on the disk, whatever fails and however much it is", () => {
  const onDisk = () => new LedgerSqlite(object.storage).outbox(9_999);
  const fault = (step: number) => {
    if (step === 2) throw new Error("The disk is gone.");
  };
  let n = 0;
  const some = (many: number) => Array.from({ length: many }, () => row(`r${++n}`, 5));
  // Nobody has looked at it; it is known; it is too much to be kept; it is short again.
  for (const many of [2, 3, 1_000, 4]) {
    book.settle(some(many), T);
    object.fault = fault;
    expect(() => book.settle(some(1), T)).toThrow("gone");
    object.fault = () => undefined;
    for (const limit of [3, 9_999]) expect(book.outbox(limit)).toEqual(onDisk().slice(0, limit));
    const seqs = book.outbox(9_999).map(({ seq }) => seq);
    object.fault = (step) => fault(step + 2);
    expect(() => book.delivered(seqs)).toThrow("gone");
    object.fault = () => undefined;
    expect(book.outbox(9_999)).toHaveLength(seqs.length);
    book.delivered(seqs.slice(1));
    expect(book.outbox(9_999)).toEqual(onDisk());
    expect(onDisk()).toHaveLength(1);
    book.delivered(seqs);
    expect(book.outbox(9)).toEqual([]);
  }
});

test("a threshold is told once, and again where it moved; so is the first request that a budget refuses", () => {
  const limits = (maxBudget: number) => ({
    maxBudget,
    timeZone: "UTC",
    since: 0,
    tiers: DEFAULT_TIERS,
  });
  const define = (revision: number, maxBudget: number) =>
    book.define([{ scope: KEY, revision, limits: limits(maxBudget) }], T);
  const told = () =>
    book
      .outbox(100)
      .flatMap((each) => (each.kind === "alert" ? [each.record.data] : []))
      .map((data) => `${String(data["threshold"])} ${String(data["threshold_usd"])}`);
  const ask = (requestId: string, max: number) => {
    const items = [{ scope: KEY, max: amount(max), min: amount(max) }];
    const named = { id: requestId, request: { ...IDS, requestId } };
    const asked = { items, cheap: false, longestMs: 0, waitMs: 0 };
    return book.single({ isolate: "i1", ...named, ...asked }, T, false);
  };
  define(1, 100_000);
  book.settle([row("r1", 85_000)], T);
  book.settle([row("r2", 1_000)], T);
  expect(told()).toEqual(["warn 0.00008"]);
  expect([ask("r3", 20_000), ask("r4", 20_000)]).toMatchObject([
    { granted: false },
    { granted: false },
  ]);
  expect(told()).toEqual(["warn 0.00008", "refused 0.0001"]);
  define(2, 200_000);
  book.settle([row("r5", 80_000)], T);
  expect(ask("r6", 50_000)).toMatchObject({ granted: false });
  expect(told().slice(2)).toEqual(["warn 0.00016", "refused 0.0002"]);
});
