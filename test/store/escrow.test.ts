import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LedgerBook } from "../../durable-objects/ledger-book.ts";
import type { HoldMessage, HoldRequest, LedgerPort, SettleRow } from "../../worker/core/account.ts";
import type { Isolate } from "../../worker/core/isolate.ts";
import { DEFAULT_TIERS } from "../../worker/core/limits.ts";
import type { Log } from "../../worker/core/ports.ts";
import type { Scope } from "../../worker/core/scope.ts";
import { EscrowMemory } from "../../worker/store/escrow-memory.ts";
import { makeEscrow } from "../../worker/store/escrow.ts";
import { LedgerMemory } from "../support/ledger-memory.ts";
import { ORG, rowOf, TEAM } from "../support/settle-row.ts";

/** One call of the ledger: it may fail before it is carried out, or after. */
type Fate = "ok" | "lost request" | "lost answer" | "hangs";

const SCOPES = [
  { kind: "team", id: TEAM },
  { kind: "key", id: "k1" },
] as const;

let book: LedgerBook;
let calls: string[];
let holds: HoldMessage[];
let settled: SettleRow[][];
/** What the first scope gave back. */
let returned: number;
let fate: (call: string) => Fate;
let errors: string[];
let isolate: Isolate;
let background: Promise<unknown>[];

const ledger: LedgerPort = {
  hold: (message) => {
    holds.push(structuredClone(message));
    return call("hold", () => book.hold(message, Date.now()));
  },
  return: (message) => {
    const given = message.items[0]?.give ?? [];
    returned += given.reduce((sum, { amount }) => sum + amount.cost, 0);
    return call("return", () => book.return(message, Date.now()));
  },
  settle: (rows) => {
    settled.push(rows);
    return call("settle", () => book.settle(rows, Date.now()));
  },
  single: (message) => call("single", () => book.single(message, Date.now(), true)),
  settleAbandoned: () => expect.fail(),
  debit: () => expect.fail(),
  spent: () => expect.fail(),
  define: () => expect.fail(),
  spend: () => expect.fail(),
};

/** A call takes 5 ms there and 5 ms back. */
async function call<T>(name: string, work: () => T): Promise<T> {
  const what = fate(name);
  calls.push(name);
  if (what === "hangs") return new Promise<never>(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 5));
  if (what === "lost request") throw new Error("No way there.");
  const value = structuredClone(work());
  await new Promise((resolve) => setTimeout(resolve, 5));
  if (what === "lost answer") throw new Error("No way back.");
  return value;
}

const log: Log = {
  info: () => undefined,
  warn: () => undefined,
  error: (message) => void errors.push(message),
};

/** The account as one request of the isolate sees it. */
function escrow(waitUntil: (work: Promise<unknown>) => void = (work) => background.push(work)) {
  return makeEscrow({ isolate, ledger: () => ledger, now: Date.now, waitUntil, log });
}

let requests = 0;
function request(cost = 10, requestId = `r${++requests}`): HoldRequest {
  const max = { cost, requests: 1, tokens: cost };
  return { orgId: ORG, teamId: TEAM, requestId, scopes: [...SCOPES], max };
}

function rowFor({ requestId }: HoldRequest, cost: number): SettleRow {
  const ids = { orgId: ORG, teamId: TEAM, requestId };
  return rowOf(ids, "k1", [], { cost, tokens: cost }, Date.now());
}

function spend() {
  const [team] = book.spend([SCOPES[0]], Date.now());
  return { settled: team?.settled.cost, outstanding: team?.outstanding.cost };
}

/** Lets time pass and everything that is due in it happen. */
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

async function finished<T>(work: Promise<T>, ms = 60_000): Promise<T> {
  const result = work.then(
    (value) => ({ value }),
    (cause: unknown) => ({ cause }),
  );
  await pass(ms);
  const ended = await result;
  if ("cause" in ended) throw ended.cause;
  return ended.value;
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
  vi.spyOn(Math, "random").mockReturnValue(0);
  book = new LedgerBook(new LedgerMemory());
  [calls, holds, settled, errors, background] = [[], [], [], [], []];
  returned = 0;
  fate = () => "ok";
  isolate = { id: "i1" } as Isolate;
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test("a cold request asks for all scopes in one call; a warm one is admitted in one turn without any", async () => {
  const cold = request();
  expect(await finished(escrow().hold(cold), 20)).toMatchObject({ granted: true });
  expect(calls).toEqual(["hold"]);
  expect(holds[0]?.items.map((each) => each.want.cost)).toEqual([20, 20]);
  let admitted = false;
  void escrow()
    .hold(request())
    .then(() => (admitted = true));
  await Promise.resolve();
  await Promise.resolve();
  expect(admitted).toBe(true);
});

test("a hundred requests at once share the calls, and all of them are admitted", async () => {
  const all = Array.from({ length: 100 }, () => escrow().hold(request()));
  const answers = await finished(Promise.all(all), 250);
  expect(answers.every((each) => each.granted)).toBe(true);
  expect(calls.length).toBeLessThan(6);
  expect(spend().outstanding).toBeGreaterThanOrEqual(1_000);
});

test("a lease is renewed behind a request once half of its time is over, and no request waits for that", async () => {
  await finished(escrow().hold(request()), 100);
  const first = request();
  await finished(escrow().hold(first), 20);
  await escrow().release(`hold_${first.requestId}`);
  calls = [];
  await pass(1_000);
  await finished(escrow().hold(request(1)), 20);
  expect(calls).toEqual([]);
  await pass(1_100);
  fate = () => "hangs";
  let admitted = false;
  void escrow()
    .hold(request(1))
    .then(() => (admitted = true));
  await Promise.resolve();
  await Promise.resolve();
  expect([admitted, calls]).toEqual([true, ["hold"]]);
});

test("when the renewals stop, nothing is admitted 4 s after the isolate asked", async () => {
  const admitted = async (thenMs: number) => {
    const one = request();
    const { granted } = await finished(escrow().hold(one), thenMs);
    await escrow().release(`hold_${one.requestId}`);
    return granted;
  };
  await admitted(1_500);
  fate = () => "lost request";
  expect([await admitted(1_500), await admitted(990), await admitted(10)]).not.toContain(false);
  await expect(finished(escrow().hold(request(1)))).rejects.toMatchObject({
    kind: "control_plane_unavailable",
  });
});

test("a hold whose answer was lost is sent again under its number and lends nothing twice", async () => {
  let lost = 1;
  fate = () => (lost-- > 0 ? "lost answer" : "ok");
  await finished(escrow().hold(request()), 100);
  expect(calls).toEqual(["hold", "hold"]);
  expect(holds[1]).toEqual(holds[0]);
  expect(spend().outstanding).toBe(20);
});

test("a leader whose context was cut harms nobody: others act for themselves after 250 ms", async () => {
  fate = () => "hangs";
  void escrow(() => undefined)
    .hold(request())
    .catch(() => undefined);
  await pass(1);
  fate = () => "ok";
  const started = Date.now();
  const follower = escrow()
    .hold(request())
    .then((answer) => ({ answer, after: Date.now() - started }));
  const { answer, after } = await finished(follower, 400);
  expect(answer.granted).toBe(true);
  expect(after).toBeLessThan(300);
  expect(holds[1]?.items).toEqual(holds[0]?.items);
});

test("what a request did not use is free for the next one at once", async () => {
  const one = request(10);
  await finished(escrow().hold(one), 20);
  await finished(escrow().settle(rowFor(one, 1)), 150);
  expect(spend()).toEqual({ settled: 1, outstanding: 19 });
  calls = [];
  await finished(escrow().hold(request(19)), 0);
  expect(calls).not.toContain("settle");
});

test("asking again under the same request raises the hold by what is missing, and settles as one", async () => {
  const one = request(10);
  await finished(escrow().hold(one), 20);
  const more = request(15, one.requestId);
  const raised = await finished(escrow().hold(more), 20);
  if (!raised.granted) expect.fail();
  expect(raised.leases.map((each) => each.reserved.cost)).toEqual([15, 15]);
  await finished(escrow().settle(rowFor(one, 14)), 150);
  expect(spend().settled).toBe(14);
  await pass(10_000);
  expect(spend()).toEqual({ settled: 14, outstanding: 0 });
});

test("settlements gather while one call is under way, and each is debited once", async () => {
  const all = Array.from({ length: 40 }, () => request());
  await finished(Promise.all(all.map((each) => escrow().hold(each))), 250);
  calls = [];
  await finished(Promise.all(all.map((each) => escrow().settle(rowFor(each, 3)))), 200);
  expect(calls.filter((each) => each === "settle").length).toBeLessThan(4);
  expect(spend().settled).toBe(120);
});

test("settlements of different moments leave together, and the request that sends them is any of them", async () => {
  // Slots that are far from all in use are in the stock again with the end of their request: nobody waits for the row.
  const slots = { kind: "key", id: "k1", meter: "slots" } as const;
  const limits = { timeZone: "UTC", since: 0, tiers: DEFAULT_TIERS, parallel: 100 };
  book.define([{ scope: SCOPES[1], revision: 1, limits }], Date.now());
  const all = Array.from({ length: 10 }, () => ({ ...request(), scopes: [SCOPES[0], slots] }));
  await finished(Promise.all(all.map((each) => escrow().hold(each))), 60);
  await pass(100 - (Date.now() % 100));
  const settlements: Promise<void>[] = [];
  for (const each of all) {
    // The request of the first one is cut before its timer rings.
    const cut = each === all[0];
    const done = escrow(cut ? () => undefined : undefined).settle(rowFor(each, 3));
    if (!cut) settlements.push(done);
    await pass(3);
  }
  expect(settled).toEqual([]);
  await finished(Promise.all(settlements), 150);
  expect(settled.map((rows) => rows.length)).toEqual([10]);
  expect(spend().settled).toBe(30);
});

test("a settlement that frees what others may wait for leaves at once", async () => {
  const slots = { kind: "key", id: "k1", meter: "slots" } as const;
  const limits = { timeZone: "UTC", since: 0, tiers: DEFAULT_TIERS, parallel: 1 };
  book.define([{ scope: SCOPES[1], revision: 1, limits }], Date.now());
  const one = { ...request(), scopes: [SCOPES[0], slots] };
  await finished(escrow().hold(one), 60);
  await finished(escrow().settle(rowFor(one, 3)), 20);
  expect(spend().settled).toBe(3);
  expect(book.spend([slots], Date.now())[0]?.outstanding.requests).toBe(0);
});

test("a settlement is tried until it is known, whatever gets lost, and is debited once", async () => {
  const one = request();
  await finished(escrow().hold(one), 20);
  const fates: Fate[] = ["lost answer", "hangs", "lost request", "ok"];
  fate = (name) => (name === "settle" ? (fates.shift() ?? "ok") : "ok");
  await finished(escrow().settle(rowFor(one, 3)), 20_000);
  expect(settled).toHaveLength(4);
  expect(spend().settled).toBe(3);
  expect(errors).toEqual([]);
});

test("a settlement that could not be delivered goes with the next request's", async () => {
  const [one, two] = [request(), request()];
  await finished(escrow().hold(one), 20);
  await finished(escrow().hold(two), 20);
  fate = () => "lost request";
  await finished(escrow().settle(rowFor(one, 3)));
  expect(errors).toEqual(["settlement waits in memory"]);
  fate = () => "ok";
  await finished(escrow().settle(rowFor(two, 4)), 150);
  expect(spend().settled).toBe(7);
});

test("a settlement whose leader was cut is delivered by its own request", async () => {
  const [one, two] = [request(), request()];
  await finished(escrow().hold(one), 20);
  await finished(escrow().hold(two), 20);
  fate = () => "hangs";
  void escrow(() => undefined).settle(rowFor(one, 3));
  await pass(1);
  fate = () => "ok";
  await finished(escrow().settle(rowFor(two, 4)), 400);
  expect(spend().settled).toBe(7);
});

test("settling twice, or releasing what was settled, gives nothing back twice", async () => {
  const one = request(10);
  await finished(escrow().hold(one), 20);
  await finished(escrow().settle(rowFor(one, 4)), 150);
  await finished(escrow().settle(rowFor(one, 9)), 150);
  await escrow().release(`hold_${one.requestId}`);
  await pass(10_000);
  expect(spend()).toEqual({ settled: 4, outstanding: 0 });
  expect(returned).toBe(16);
});

test("what nobody asked for in 2 s is returned, also when the return is lost at first", async () => {
  const one = request();
  await finished(escrow().hold(one), 20);
  let lost = 1;
  fate = (name) => (name === "return" && lost-- > 0 ? "lost answer" : "ok");
  await escrow().release(`hold_${one.requestId}`);
  await pass(2_100);
  expect(calls.at(-1)).toBe("return");
  await pass(10_000);
  expect(spend().outstanding).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test("slots that nobody uses go back before a request that waits for one is refused, whatever else is kept", async () => {
  const slots: Scope = { kind: "team", id: TEAM, meter: "slots" };
  const parallel = { timeZone: "UTC", since: 0, tiers: DEFAULT_TIERS, parallel: 40 };
  book.define([{ scope: SCOPES[0], revision: 1, limits: parallel }], Date.now());
  const idle = () => {
    const [team, inUse] = book.spend([SCOPES[0], slots], Date.now());
    return [team?.outstanding.cost !== 0, inUse?.outstanding.requests];
  };
  // The isolate has looked after idle money before there were slots.
  await finished(escrow().hold(request()), 20);
  await pass(1_000);
  const asked = { ...request(), scopes: [SCOPES[0], slots], longestMs: 1_000 };
  await finished(escrow().hold(asked), 20);
  expect(idle()).toEqual([true, 2]);
  void escrow().settle(rowFor(asked, 5));
  await pass(900);
  expect(idle()).toEqual([true, 0]);
});

/** An isolate with what a request borrowed and did not use. */
function withUnused(one: HoldRequest, start: number): EscrowMemory {
  let n = 0;
  const memory = new EscrowMemory(() => ++n);
  memory.wait(one, start);
  const first = memory.ask(one.scopes, start);
  memory.answered(first, book.hold({ isolate: "i1", items: first }, start));
  memory.admit(one, start);
  memory.release(`hold_${one.requestId}`, start);
  return memory;
}

test("what nobody uses goes back also where the clock was put back meanwhile", () => {
  const start = Date.now();
  const memory = withUnused(request(), start);
  expect(memory.idle(start + 100).returns).toEqual([]);
  const { returns } = memory.idle(start - 20_000);
  book.return({ isolate: "i1", items: returns }, start);
  expect(spend().outstanding).toBe(0);
});

test("a return that may not have arrived goes on as a hold of the same number, in either order", () => {
  const one = request();
  const start = Date.now();
  const memory = withUnused(one, start);
  const { returns } = memory.idle(start + 2_000);
  const asked = memory.ask(one.scopes, start + 2_001);
  expect(asked.map((each) => each.n)).toEqual(returns.map((each) => each.n));
  const reply = book.hold({ isolate: "i1", items: asked }, start + 2_001);
  // The return arrives late, and its acknowledgement before the hold's answer.
  book.return({ isolate: "i1", items: returns }, start + 2_002);
  memory.returned(returns);
  memory.answered(asked, reply);
  const next = memory.ask(one.scopes, start + 2_003);
  expect(next.map((each) => each.leaseId)).not.toContain(null);
  expect(spend().outstanding).toBe(asked[0]?.want.cost);
});

test("while too many rows are unsettled nothing more is admitted", async () => {
  fate = (name) => (name === "settle" ? "hangs" : "ok");
  for (let at = 0; at < 4_000; at++) {
    void escrow(() => undefined).settle(rowFor(request(), 1));
  }
  await expect(escrow().hold(request())).rejects.toMatchObject({
    kind: "control_plane_unavailable",
  });
  vi.clearAllTimers();
});
