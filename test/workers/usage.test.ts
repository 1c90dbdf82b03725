import { applyD1Migrations } from "cloudflare:test";
import type { D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { archivePrefix } from "../../durable-objects/addresses.ts";
import { outcomeRecord, usageEvent } from "../../durable-objects/ledger-events.ts";
import type { Charge } from "../../durable-objects/ledger-events.ts";
import { chargeOf } from "../../worker/core/account.ts";
import type { AttemptRow, OutboxItem, SettleRow, UsageEvent } from "../../worker/core/account.ts";
import { minus, NOTHING } from "../../worker/core/amount.ts";
import type { Amount } from "../../worker/core/amount.ts";
import type { AppendResult, AuditRecord } from "../../worker/core/audit.ts";
import { newOrgId } from "../../worker/core/ids.ts";
import { NO_USAGE } from "../../worker/core/usage.ts";
import { prepared } from "../../worker/store/changes.ts";
import { openDb } from "../../worker/store/database.ts";
import { makeTrailSink } from "../../worker/store/trail-sink.ts";
import type { TrailStores } from "../../worker/store/trail-sink.ts";
import { readUsageEvent } from "../../worker/store/usage-segments.ts";
import { housekeep } from "../../worker/schedules.ts";
import { dailyUsage, findUsage, forgetUsage, listUsage } from "../../worker/store/usage-rows.ts";

const START = Date.UTC(2026, 10, 21, 23, 30);
const DAYS = { from: "2026-11-01", to: "2026-11-30" };
const db = openDb(env.DB);

let orgId: string;
let alerts: string[];
let appended: AuditRecord[];
let answer: (record: AuditRecord) => AppendResult;
let stores: TrailStores;

beforeAll(async () => {
  const { TEST_MIGRATIONS } = env as unknown as { TEST_MIGRATIONS: D1Migration[] };
  await applyD1Migrations(env.DB, TEST_MIGRATIONS);
});

beforeEach(() => {
  orgId = newOrgId("global");
  alerts = [];
  appended = [];
  answer = () => ({ ok: true });
  stores = {
    d1: env.DB,
    archive: env.ARCHIVE,
    prefixOf: archivePrefix,
    auditLog: () => ({
      append: async (records) => {
        appended.push(...records);
        return records.map(answer);
      },
    }),
    alert: (_, { object }) => alerts.push(object),
  };
});

function attempt(n: number, provider: string, cost: number, output: number): AttemptRow {
  return {
    n,
    deployment: `d_${provider}`,
    provider,
    model: `${provider}-model`,
    usage: { ...NO_USAGE, input: 10, cacheRead: 5, output },
    cost,
    priceKnown: true,
    status: 200,
    startedAt: START,
    durationMs: 5,
  };
}

function settled(
  requestId: string,
  attempts: AttemptRow[],
  more: Partial<SettleRow> = {},
): SettleRow {
  return {
    requestId,
    leases: [],
    orgId,
    teamId: "team_1",
    keyId: "key_1",
    model: "smart",
    group: "smart",
    endpoint: "chat",
    stream: false,
    tags: [],
    outcome: "success",
    status: 200,
    attempts,
    usage: attempts.at(-1)?.usage ?? NO_USAGE,
    cost: attempts.reduce((sum, each) => sum + each.cost, 0),
    startedAt: START,
    durationMs: 50,
    ...more,
  };
}

function eventOf(
  row: SettleRow,
  before: Amount | null = null,
  charged = chargeOf(row),
): UsageEvent {
  const charge: Charge = {
    revision: before ? 2 : 1,
    charged,
    delta: minus(charged, before ?? NOTHING),
    estimated: row.attempts.length === 0,
    overrun: 0,
    settledAt: START,
  };
  return usageEvent(row, charge);
}

const usage = (events: UsageEvent[]): OutboxItem[] =>
  events.map((event, seq) => ({ seq, kind: "usage", event }));
const deliver = (events: UsageEvent[]) => makeTrailSink(stores).deliver(usage(events));

async function sums() {
  const days = await dailyUsage(db, orgId, DAYS);
  const add = (of: "costNano" | "requests" | "tokens" | "successes" | "failures") =>
    days.reduce((sum, day) => sum + day[of], 0);
  return {
    costNano: add("costNano"),
    requests: add("requests"),
    tokens: add("tokens"),
    successes: add("successes"),
    failures: add("failures"),
  };
}

test("an event is indexed and added up once, by provider, whatever is delivered again", async () => {
  const failedOver = eventOf(settled("r1", [attempt(1, "a", 100, 1), attempt(2, "b", 900, 20)]));
  const plain = eventOf(settled("r2", [attempt(1, "b", 500, 7)]));
  expect(await deliver([failedOver])).toEqual([0]);
  expect(await deliver([plain, failedOver, plain])).toEqual([0, 1, 2]);
  expect(await deliver([failedOver, plain])).toEqual([0, 1]);
  const days = await dailyUsage(db, orgId, DAYS);
  expect(
    days.map(({ provider, requests, costNano, tokens, cacheReadTokens }) => ({
      provider,
      requests,
      costNano,
      tokens,
      cacheReadTokens,
    })),
  ).toEqual([
    { provider: "a", requests: 0, costNano: 100, tokens: 16, cacheReadTokens: 5 },
    { provider: "b", requests: 2, costNano: 1_400, tokens: 57, cacheReadTokens: 10 },
  ]);
  expect((await listUsage(db, orgId, { keyId: "key_1" })).total).toBe(2);
});

test("a whole event is found through the index, in the segment of its hour", async () => {
  const event = eventOf(settled("r1", [attempt(1, "a", 100, 1)]));
  await deliver([event, eventOf(settled("r2", [attempt(1, "a", 1, 1)]))]);
  const row = await findUsage(db, orgId, "r1");
  expect(row?.segment).toMatch(
    new RegExp(`^global/${orgId}/usage/2026-11-21/23/evt_\\w{22}-[0-9a-f]{16}\\.jsonl\\.gz$`),
  );
  expect(row && (await readUsageEvent(env.ARCHIVE, row))).toEqual(
    JSON.parse(JSON.stringify(event)),
  );
  const objects = await env.ARCHIVE.list({ prefix: archivePrefix(orgId) });
  await deliver([event, eventOf(settled("r2", [attempt(1, "a", 1, 1)]))]);
  const again = await env.ARCHIVE.list({ prefix: archivePrefix(orgId) });
  expect(again.objects.map(({ key }) => key)).toEqual(objects.objects.map(({ key }) => key));
});

test.each([
  ["after", false],
  ["before", true],
])("what takes the place of an estimate counts alone, though it came %s it", async (_, first) => {
  const reserved = { cost: 4_000, requests: 1, tokens: 300 };
  const estimate = eventOf(settled("r1", [], { outcome: "failure", status: 0 }), null, reserved);
  const truth = eventOf(settled("r1", [attempt(1, "a", 700, 20)]), reserved);
  await deliver([first ? truth : estimate]);
  await deliver([estimate, truth]);
  await deliver([estimate]);
  expect(await sums()).toEqual({
    costNano: 700,
    requests: 1,
    tokens: 35,
    successes: 1,
    failures: 0,
  });
  expect(await findUsage(db, orgId, "r1")).toMatchObject({
    costNano: 700,
    revision: 2,
    estimated: false,
  });
});

test("killed at any step, an event that comes again is counted once", async () => {
  const event = eventOf(settled("r1", [attempt(1, "a", 100, 1)]));
  const whole = stores;
  const fail = () => Promise.reject(new Error("D1_ERROR: Network connection lost."));
  const kills: Partial<TrailStores>[] = [
    { archive: { put: fail } },
    { d1: { ...fakeD1(), batch: fail } as unknown as D1Database },
    // Written, but the answer is lost.
    {
      d1: {
        ...fakeD1(),
        batch: async (statements: D1PreparedStatement[]) => {
          await env.DB.batch(statements);
          return fail();
        },
      } as unknown as D1Database,
    },
  ];
  for (const kill of kills) {
    stores = { ...whole, ...kill };
    expect(await deliver([event])).toEqual([]);
  }
  stores = whole;
  expect(await deliver([event])).toEqual([0]);
  expect(await sums()).toMatchObject({ costNano: 100, requests: 1 });
});

test("an event that the database refuses is set aside and holds nobody up", async () => {
  const good = eventOf(settled("r1", [attempt(1, "a", 100, 1)]));
  const bad = eventOf(settled("r2", [attempt(1, "a", 5, 1)]));
  bad.row.status = null as unknown as number;
  expect(await deliver([bad, good])).toEqual([0, 1]);
  expect(alerts).toEqual([`${archivePrefix(orgId)}quarantine/${bad.eventId}.json`]);
  expect(await sums()).toMatchObject({ costNano: 100, requests: 1 });
});

test("an outcome is durable when its log took it or it was set aside, and not before", async () => {
  const records = ["r1", "r2", "r3"].map((id) => {
    const row = settled(id, [attempt(1, "a", 1, 1)]);
    return outcomeRecord(row, eventOf(row));
  });
  answer = ({ requestId }) => {
    if (requestId === "r1") return { ok: true };
    return requestId === "r2"
      ? { ok: false, reason: "bad", refused: true }
      : { ok: false, reason: "away" };
  };
  const items = records.map((record, seq): OutboxItem => ({ seq, kind: "outcome", record }));
  expect(await makeTrailSink(stores).deliver(items)).toEqual([0, 1]);
  expect(appended).toEqual(records);
  expect(alerts).toEqual([`${archivePrefix(orgId)}quarantine/${records[1]?.eventId}.json`]);
});

test("old rows of the index are forgotten in portions; the sums stay", async () => {
  for (const id of ["r1", "r2", "r3"])
    await deliver([eventOf(settled(id, [attempt(1, "a", 1, 1)]))]);
  const forget = async (before: string, limit: number) =>
    (await prepared(env.DB, forgetUsage(before, limit)).run()).meta.changes;
  await forget("2026-11-21", 1_000);
  expect((await listUsage(db, orgId)).total).toBe(3);
  expect(await forget("2026-11-22", 2)).toBe(2);
  const { total } = await listUsage(db, orgId);
  expect(total).toBeGreaterThan(0);
  // The minute's housekeeping does it by itself, when the rows are 90 days old.
  const day = (text: string) => Date.parse(`${text}T12:00:00Z`);
  await housekeep(env.DB, day("2027-02-19"));
  expect((await listUsage(db, orgId)).total).toBe(total);
  await housekeep(env.DB, day("2027-02-20"));
  expect((await listUsage(db, orgId)).total).toBe(0);
  expect(await sums()).toMatchObject({ requests: 3 });
});

function fakeD1() {
  return { prepare: (sql: string) => env.DB.prepare(sql) };
}
