import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Amount } from "../../worker/core/amount.ts";
import { most, NOTHING, plus } from "../../worker/core/amount.ts";
import { chargeIn, drawFrom } from "../../worker/core/account.ts";
import type { LeaseRef } from "../../worker/core/account.ts";
import type { Isolate } from "../../worker/core/isolate.ts";
import { DEFAULT_TIERS } from "../../worker/core/limits.ts";
import type { Limits } from "../../worker/core/limits.ts";
import { homeOf, portion, scopeKey } from "../../worker/core/scope.ts";
import type { Scope } from "../../worker/core/scope.ts";
import { pause } from "../../worker/core/time.ts";
import { makeEscrow } from "../../worker/store/escrow.ts";
import { LedgerHomes } from "../support/ledger-homes.ts";
import { ORG, rowOf } from "../support/settle-row.ts";
import { numbers } from "../support/numbers.ts";

/** ROUTERO_STORM_RUNS asks for more; ROUTERO_SEED chooses others. */
const RUNS = Number(process.env["ROUTERO_STORM_RUNS"] ?? 12);
const LONGEST_MS = 10_000;
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const CUSTOMERS = 5;

interface Lived {
  isolate: Isolate;
  alive: boolean;
  skew: number;
}

interface Request {
  requestId: string;
  teamId: string;
  keyId: string;
  customerId: string;
  leases: LeaseRef[];
  reserved: Amount;
  startedAt: number;
  state: "running" | "ended" | "cut";
  spent: Amount;
  lived: Lived;
}

const SHARED: Scope[] = [
  { kind: "org", id: ORG },
  { kind: "user", id: "u1" },
  { kind: "group", id: "g1", meter: "rate" },
];
const scopesFor = (teamId: string, keyId: string, customerId: string): Scope[] => [
  { kind: "team", id: teamId },
  { kind: "team", id: teamId, meter: "slots" },
  { kind: "key", id: keyId },
  { kind: "key", id: keyId, meter: "rate" },
  { kind: "model", id: `key:${keyId}/m` },
  { kind: "customer", id: customerId },
  ...SHARED,
];

/** What is limited of each kind; now and then nothing to a fifth more of it. */
const LIMITS: Partial<Record<Scope["kind"], Partial<Limits>>> = {
  org: { maxBudget: 4_000 },
  user: { maxBudget: 3_000, duration: "20s" },
  group: { rpm: 60, tpm: 9_000 },
  team: { maxBudget: 2_000, parallel: 6, duration: "30s" },
  key: { maxBudget: 900, rpm: 25, tpm: 3_000 },
  model: { maxBudget: 700 },
  customer: { maxBudget: 500, duration: "10s" },
};

/** Everything real but the network, time and the provider. */
class Storm {
  readonly homes: LedgerHomes;
  readonly requests: Request[] = [];
  readonly lived: Lived[] = [];
  readonly #below: (n: number) => number;
  /** The most that was ever allowed in each scope. */
  readonly #most = new Map<string, Amount>();
  #n = 0;

  constructor(below: (n: number) => number, faults: number, isolates: number) {
    this.#below = below;
    this.homes = new LedgerHomes({ below, faults });
    for (let at = 0; at < isolates; at++) this.#live(at);
    for (const scope of this.scopes()) if (scope.meter === undefined) this.limit(scope, 10);
    this.limit({ kind: "group", id: "g1" }, 10);
  }

  scopes(): Scope[] {
    const all = ["t1", "t2"].flatMap((team) =>
      Array.from({ length: CUSTOMERS }, (_, n) => scopesFor(team, `${team}k`, `c${n}`)).flat(),
    );
    return [...new Map(all.map((scope) => [scopeKey(scope), scope])).values()];
  }

  #live(at: number): void {
    const isolate = { id: `i${++this.#n}` } as Isolate;
    this.lived[at] = { isolate, alive: true, skew: (this.#below(3) - 1) * this.#below(100_000) };
  }

  #home(scope: Scope): string {
    const team = /t[12]/.exec(scope.id)?.[0] ?? "t1";
    return homeOf(scope) ?? team;
  }

  /** Another limit, in tenths of the usual one. */
  limit({ kind, id }: Scope, tenths: number): void {
    const { maxBudget, rpm, tpm, parallel, duration } = LIMITS[kind] ?? {};
    const of = (n: number | undefined) =>
      n === undefined ? undefined : Math.ceil((n * tenths) / 10);
    const limits: Limits = {
      timeZone: "UTC",
      since: 0,
      tiers: DEFAULT_TIERS,
      ...(duration !== undefined && { duration }),
      ...(maxBudget !== undefined && { maxBudget: of(maxBudget) ?? 0 }),
      ...(rpm !== undefined && { rpm: of(rpm) ?? 0 }),
      ...(tpm !== undefined && { tpm: of(tpm) ?? 0 }),
      ...(parallel !== undefined && { parallel: of(parallel) ?? 0 }),
    };
    const raise = (scope: Scope, allowed: Partial<Amount>) => {
      const amount = { cost: Infinity, requests: Infinity, tokens: Infinity, ...allowed };
      const key = scopeKey(scope);
      this.#most.set(key, most(this.#most.get(key) ?? NOTHING, amount));
    };
    const { maxBudget: cost = Infinity, rpm: requests = Infinity, tpm: tokens = Infinity } = limits;
    raise({ kind, id }, { cost });
    raise({ kind, id, meter: "rate" }, { requests, tokens });
    raise({ kind, id, meter: "slots" }, { requests: limits.parallel ?? Infinity });
    const definition = { scope: { kind, id }, revision: ++this.#n, limits };
    this.homes.define(this.#home({ kind, id }), [definition]);
  }

  /** One request from its hold to its end. */
  async request(at: number, a: number, b: number): Promise<void> {
    const lived = this.lived[at % this.lived.length] as Lived;
    const teamId = a % 2 === 0 ? "t1" : "t2";
    const [keyId, customerId] = [`${teamId}k`, `c${b % CUSTOMERS}`];
    const requestId = `r${++this.#n}`;
    const request: Request = {
      requestId,
      teamId,
      keyId,
      customerId,
      leases: [],
      reserved: NOTHING,
      startedAt: Date.now(),
      state: "running",
      spent: NOTHING,
      lived,
    };
    const here = () => lived.alive && request.state !== "cut";
    const account = makeEscrow({
      isolate: lived.isolate,
      ledger: (_, home) => this.homes.port(home, here),
      now: () => Date.now() + lived.skew,
      waitUntil: (work) => void work.catch(() => undefined),
      log,
    });
    const ids = { orgId: ORG, teamId, requestId };
    const scopes = scopesFor(teamId, keyId, customerId);
    const hold = async (max: Amount) => {
      const longestMs = LONGEST_MS - (Date.now() - request.startedAt);
      const min = a % 3 === 0 ? max : { ...max, cost: Math.ceil(max.cost / 5) };
      const answer = await account.hold({ ...ids, scopes, max, min, longestMs }).catch(() => null);
      if (answer?.granted !== true || !here()) return null;
      request.leases = answer.leases;
      request.reserved = answer.amount;
      return answer;
    };
    const max = { cost: 1 + (b % 120), requests: 1, tokens: 2 * (1 + (b % 120)) };
    const first = await hold(max);
    if (first === null) return;
    this.requests.push(request);
    this.check();
    await pause(this.#below(2_000));
    if (here() && a % 4 === 0 && Date.now() - request.startedAt < LONGEST_MS - 4_000) {
      await hold({ ...max, cost: max.cost + 40, tokens: max.tokens + 80 });
      this.check();
    }
    await pause(this.#below(1_500));
    if (!here()) return;
    request.state = "ended";
    if (a % 7 === 0) return void account.release(first.holdId);
    const cost = this.#below(request.reserved.cost + 1);
    request.spent = { cost, requests: 1, tokens: Math.min(2 * cost, request.reserved.tokens) };
    const { tokens } = request.spent;
    const row = rowOf(ids, keyId, request.leases, { cost, tokens }, request.startedAt + lived.skew);
    void account.settle({ ...row, userId: "u1", customerId });
  }

  /** A request's context is gone; what its provider did is on record, and is found later. */
  cut(request: Request): void {
    if (request.state !== "running") return;
    request.state = "cut";
    request.spent = request.reserved;
    const { requestId, teamId, keyId, customerId, leases, startedAt } = request;
    const payer = { orgId: ORG, teamId, keyId, customerId, userId: "u1" };
    const rest = { model: "m", endpoint: "chat", stream: false, decidedAt: startedAt };
    const port = this.homes.port(teamId);
    const tell = async (): Promise<void> => {
      await pause(5_000);
      await port.settleAbandoned({ requestId, ...payer, leases, ...rest }).catch(tell);
    };
    void tell();
  }

  crash(at: number): void {
    const lived = this.lived[at] as Lived;
    lived.alive = false;
    for (const request of this.requests) if (request.lived === lived) this.cut(request);
    this.#live(at);
  }

  /** What requests really spent and hold by now is never more than was allowed, window by window. */
  check(): void {
    const sums = new Map<string, { scope: Scope; amount: Amount }>();
    for (const { leases, state, spent, reserved } of this.requests) {
      for (const refs of Map.groupBy(leases, ({ scope }) => scopeKey(scope)).values()) {
        const { scope } = refs[0] as LeaseRef;
        if (scope.meter === "slots" && state !== "running") continue;
        const amount = portion(scope, state === "running" ? reserved : spent);
        drawFrom(refs, amount).draws.forEach((drawn, at) => {
          const name = `${refs[at]?.windowId} ${scopeKey(scope)}`;
          const sum = sums.get(name)?.amount ?? NOTHING;
          sums.set(name, { scope, amount: plus(sum, drawn.amount) });
        });
      }
    }
    for (const [name, { scope, amount }] of sums) {
      const allowed = this.#most.get(scopeKey(scope)) ?? NOTHING;
      const places = ["cost", "requests", "tokens"] as const;
      if (places.every((place) => amount[place] <= allowed[place])) continue;
      throw new Error(`${name}: ${JSON.stringify(amount)} of ${JSON.stringify(allowed)}`);
    }
  }

  /** What the books say that each scope spent in all, against the requests themselves. */
  books(): [string, number, number][] {
    return this.scopes()
      .filter(({ meter }) => meter === undefined)
      .map((scope) => {
        const key = scopeKey(scope);
        let settled = 0;
        for (const { row } of this.homes.home(this.#home(scope)).storage.spend.rows.values()) {
          if (scopeKey(row.scope) === key) settled += row.settled.cost;
        }
        let spent = 0;
        for (const request of this.requests) {
          const own = request.leases.filter((ref) => scopeKey(ref.scope) === key);
          if (own.length > 0) spent += chargeIn(scope, request.spent).cost;
        }
        return [key, settled, spent];
      });
  }

  standing(): [string, Amount][] {
    return this.homes.all().flatMap(([, { storage }]) =>
      [...storage.spend.rows.values()].flatMap(({ row }): [string, Amount][] => {
        const { cost, requests, tokens } = row.outstanding;
        return cost + requests + tokens === 0
          ? []
          : [[`${row.windowId} ${scopeKey(row.scope)}`, row.outstanding]];
      }),
    );
  }
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000, toFake: ["setTimeout", "clearTimeout", "Date"] });
  vi.spyOn(Math, "random").mockReturnValue(0);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const step = fc.record({
  what: fc.oneof(
    { weight: 12, arbitrary: fc.constant("request" as const) },
    { weight: 3, arbitrary: fc.constant("wait" as const) },
    { weight: 1, arbitrary: fc.constantFrom("limit", "cut", "crash", "restart", "jump") },
  ),
  a: fc.nat(10_000),
  b: fc.nat(10_000),
});

async function weather(
  seed: number,
  faults: number,
  isolates: number,
  steps: readonly { what: string; a: number; b: number }[],
  without: readonly string[] = [],
): Promise<Storm> {
  vi.clearAllTimers();
  vi.setSystemTime(1_700_000_000_000);
  const storm = new Storm(numbers(seed), faults, isolates);
  let failed: unknown;
  for (const { what, a, b } of steps) {
    if (without.includes(what)) continue;
    if (what === "request")
      void storm.request(a, a >> 2, b).catch((cause: unknown) => (failed ??= cause));
    if (what === "limit") {
      const scopes = storm.scopes();
      storm.limit(scopes[a % scopes.length] as Scope, b % 13);
    }
    if (what === "cut" && storm.requests.length > 0)
      storm.cut(storm.requests[a % storm.requests.length] as Request);
    if (what === "crash") storm.crash(a % isolates);
    if (what === "restart") storm.homes.all()[a % storm.homes.all().length]?.[1].restart();
    if (what === "jump") (storm.lived[a % isolates] as Lived).skew += (b % 40_000) - 20_000;
    await vi.advanceTimersByTimeAsync(what === "wait" ? b % 4_000 : b % 60);
    storm.check();
    if (failed !== undefined) throw failed;
  }
  storm.homes.heal();
  await vi.advanceTimersByTimeAsync(45_000);
  if (failed !== undefined) throw failed;
  storm.check();
  return storm;
}

test("whatever happens to isolates, objects and messages, what is really spent stays within the limits", async () => {
  let served = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.constantFrom(0, 10, 30),
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { minLength: 30, maxLength: 120 }),
      async (seed, faults, isolates, steps) => {
        served += (await weather(seed, faults, isolates, steps)).requests.length;
      },
    ),
    { numRuns: RUNS, endOnFailure: true },
  );
  // The storm is no calm: most requests are served.
  expect(served).toBeGreaterThan(RUNS * 10);
});

test("without a crash the books are right at the end, and everything that was lent is back", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.constantFrom(0, 10, 30),
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { minLength: 30, maxLength: 120 }),
      async (seed, faults, isolates, steps) => {
        const storm = await weather(seed, faults, isolates, steps, ["crash", "cut"]);
        for (const [key, settled, spent] of storm.books())
          expect([key, settled]).toEqual([key, spent]);
        expect(storm.standing()).toEqual([]);
      },
    ),
    { numRuns: RUNS, endOnFailure: true },
  );
});
