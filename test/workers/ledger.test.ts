import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { ledger, ledgerName } from "../../durable-objects/addresses.ts";
import type { Ledger } from "../../durable-objects/ledger.ts";
import type { LedgerSink, OutboxItem, SettleRow } from "../../worker/core/account.ts";
import { newOrgId } from "../../worker/core/ids.ts";
import type { Isolate } from "../../worker/core/isolate.ts";
import { NO_USAGE } from "../../worker/core/usage.ts";
import { makeEscrow } from "../../worker/store/escrow.ts";

const TEAM = "t1";

function rowOf(orgId: string, requestId: string, cost: number): SettleRow {
  const usage = { ...NO_USAGE, input: 2, output: 3 };
  const startedAt = Date.now();
  const attempt = { n: 1, deployment: "d", provider: "p", model: "m", usage, cost, status: 200 };
  return {
    requestId,
    orgId,
    teamId: TEAM,
    keyId: "k1",
    leases: [],
    model: "m",
    endpoint: "chat",
    stream: false,
    tags: [],
    outcome: "success",
    status: 200,
    attempts: [{ ...attempt, priceKnown: true, startedAt, durationMs: 1 }],
    usage,
    cost,
    startedAt,
    durationMs: 1,
  };
}

function stubOf(orgId: string) {
  return env.LEDGER.getByName(ledgerName(orgId, TEAM));
}

function useSink(orgId: string, sink: LedgerSink): Promise<void> {
  return runInDurableObject(stubOf(orgId), (object: Ledger) => {
    object.sink = sink;
  });
}

function outboxOf(orgId: string): Promise<unknown[]> {
  return runInDurableObject(stubOf(orgId), (_, state) =>
    state.storage.sql.exec("SELECT seq FROM outbox").toArray(),
  );
}

const keyOf = (orgId: string) => ledger(env, orgId, TEAM).spend([{ kind: "key", id: "k1" }]);

test("a crash between the transaction and the delivery: the alarm delivers, once", async () => {
  const orgId = newOrgId("global");
  const row = rowOf(orgId, "req_1", 42);
  // The delivery never comes to an end; then the object is gone with all its memory.
  await useSink(orgId, { deliver: () => new Promise(() => undefined) });
  expect(await ledger(env, orgId, TEAM).settle([row])).toEqual([
    { requestId: "req_1", state: "settled" },
  ]);
  const alarm = await runInDurableObject(stubOf(orgId), (_, state) => state.storage.getAlarm());
  expect(alarm).toBeGreaterThan(0);
  const crash = runInDurableObject(stubOf(orgId), (_, state) => state.abort("crash"));
  await expect(crash).rejects.toThrow("crash");
  const delivered: OutboxItem[] = [];
  await useSink(orgId, {
    async deliver(batch) {
      delivered.push(...batch);
      return batch.map((item) => item.seq);
    },
  });
  expect(await runDurableObjectAlarm(stubOf(orgId))).toBe(true);
  expect(delivered.map((item) => [item.seq, item.kind])).toEqual([
    [1, "usage"],
    [2, "outcome"],
    [3, "spent"],
  ]);
  expect(await outboxOf(orgId)).toEqual([]);
  // The isolate, which had no answer, sends the row again.
  expect(await ledger(env, orgId, TEAM).settle([row])).toEqual([
    { requestId: "req_1", state: "known" },
  ]);
  await runDurableObjectAlarm(stubOf(orgId));
  expect(delivered).toHaveLength(3);
  expect((await keyOf(orgId))[0]?.settled).toEqual({ cost: 42, requests: 1, tokens: 5 });
});

test("what a sink did not confirm comes again under the same ids, and the rest does not", async () => {
  const orgId = newOrgId("global");
  const seen: OutboxItem[][] = [];
  await useSink(orgId, {
    async deliver(batch) {
      seen.push(batch);
      if (seen.length === 1) throw new Error("away");
      return seen.length === 2
        ? batch.slice(0, 1).map((item) => item.seq)
        : batch.map((i) => i.seq);
    },
  });
  await ledger(env, orgId, TEAM).settle([rowOf(orgId, "req_1", 1)]);
  for (let rings = 0; rings < 5 && (await outboxOf(orgId)).length > 0; rings++) {
    await runDurableObjectAlarm(stubOf(orgId));
  }
  expect(seen.map((batch) => batch.map((item) => item.seq))).toEqual([
    [1, 2, 3],
    [1, 2, 3],
    [2, 3],
  ]);
  expect(seen[2]?.[0]).toEqual(seen[0]?.[1]);
});

test("an isolate borrows, settles and returns; the books are kept when the object is reloaded", async () => {
  const orgId = newOrgId("global");
  await useSink(orgId, { deliver: async (batch) => batch.map((item) => item.seq) });
  const background: Promise<unknown>[] = [];
  const account = makeEscrow({
    isolate: { id: "i1" } as Isolate,
    ledger: (org, team) => ledger(env, org, team),
    now: Date.now,
    waitUntil: (work) => background.push(work),
    log: { info: () => undefined, warn: () => undefined, error: () => expect.fail() },
  });
  const scopes = [
    { kind: "org", id: orgId },
    { kind: "team", id: TEAM },
    { kind: "key", id: "k1" },
  ] as const;
  const max = { cost: 100, requests: 1, tokens: 10 };
  const hold = { orgId, teamId: TEAM, requestId: "req_1", scopes: [...scopes], max };
  expect(await account.hold(hold)).toMatchObject({ granted: true, holdId: "hold_req_1" });
  expect((await keyOf(orgId))[0]?.outstanding.cost).toBe(200);
  await account.settle(rowOf(orgId, "req_1", 42));
  expect((await keyOf(orgId))[0]).toMatchObject({
    settled: { cost: 42 },
    outstanding: { cost: 158 },
  });
  await Promise.all(background);
  await evictDurableObject(stubOf(orgId));
  expect((await keyOf(orgId))[0]).toMatchObject({
    settled: { cost: 42 },
    outstanding: { cost: 0 },
  });
});

test("an object that nobody settled with has no tables and no alarm", async () => {
  const orgId = newOrgId("global");
  await keyOf(orgId);
  const left = await runInDurableObject(stubOf(orgId), async (_, state) => [
    ...state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'outbox'").toArray(),
    await state.storage.getAlarm(),
  ]);
  expect(left).toEqual([null]);
});
