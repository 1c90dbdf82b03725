import {
  applyD1Migrations,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import type { D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import {
  archivePrefix,
  auditLog,
  auditLogName,
  ledger,
  ledgerName,
} from "../../durable-objects/addresses.ts";
import type { AuditLog } from "../../durable-objects/audit-log.ts";
import type { Ledger } from "../../durable-objects/ledger.ts";
import { trailStores } from "../../durable-objects/trail.ts";
import type { AuditEventType, AuditQuery, AuditRecord } from "../../worker/core/audit.ts";
import { newOrgId, timeOrderedId } from "../../worker/core/ids.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { readVerifierKey } from "../../worker/core/sealed-log/note.ts";
import { checkProof } from "../../worker/core/sealed-log/proof.ts";
import { segmentLines } from "../../worker/core/sealed-log/segment.ts";
import { verifyLog } from "../../worker/core/sealed-log/verify.ts";
import { makeAuditArchive } from "../../worker/store/audit-archive.ts";
import { makeTrailSink } from "../../worker/store/trail-sink.ts";

function record(orgId: string, type: AuditEventType, data: JsonObject = {}): AuditRecord {
  const at = Date.now() - 200_000;
  return {
    eventId: `evt_${timeOrderedId(at)}`,
    type,
    at,
    orgId,
    teamId: "team_1",
    actor: "key:sha256:1",
    requestId: "req_1",
    data,
  };
}

const stubOf = (orgId: string) => env.AUDIT_LOG.getByName(auditLogName(orgId));

beforeAll(async () => {
  const { TEST_MIGRATIONS } = env as unknown as { TEST_MIGRATIONS: D1Migration[] };
  await applyD1Migrations(env.DB, TEST_MIGRATIONS);
});

test("reading the log of an organization that has none writes nothing", async () => {
  const orgId = newOrgId("global");
  expect(await auditLog(env, orgId).list({})).toEqual({ records: [], cursor: null });
  const tables = "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\'";
  const made = await runInDurableObject(stubOf(orgId), (_: AuditLog, state) =>
    state.storage.sql.exec(tables).toArray(),
  );
  expect(made).toEqual([]);
});

test("a group is in the log once, in its order, whatever is sent again before and after an eviction", async () => {
  const orgId = newOrgId("global");
  const log = auditLog(env, orgId);
  const records = Array.from({ length: 128 }, () => record(orgId, "request.blocked"));
  const half = records.slice(0, 64);
  expect((await log.append(half)).every((result) => result.ok)).toBe(true);
  await evictDurableObject(stubOf(orgId));
  expect((await log.append(records)).every((result) => result.ok)).toBe(true);
  const { records: found } = await log.list({ limit: 1_000, requestId: "req_1" });
  expect(found.map(({ sequence }) => Number(sequence)).toSorted((a, b) => a - b)).toEqual(
    records.map((_, at) => at + 1),
  );
  expect(new Set(found.map(({ event_id }) => event_id)).size).toBe(128);
});

test("an object serves one organization alone", async () => {
  const [mine, other] = [newOrgId("global"), newOrgId("global")];
  await auditLog(env, mine).append([record(mine, "request.blocked")]);
  const results = await auditLog(env, mine).append([record(other, "request.blocked")]);
  expect(results).toMatchObject([{ ok: false, refused: true }]);
  const stub = stubOf(mine) as unknown as AuditLog;
  expect(await stub.list(other, {})).toEqual({ fault: "AnotherOrganization" });
});

test("a decision whose isolate died is charged as reserved and gets its outcome from the ledger, once", async () => {
  const orgId = newOrgId("global");
  const alerts: string[] = [];
  const stores = trailStores(env, (message) => alerts.push(message));
  const home = env.LEDGER.getByName(ledgerName(orgId, "team_1"));
  await runInDurableObject(home, (instance: Ledger) => {
    instance.sink = makeTrailSink(stores);
  });
  const amount = { cost: 5_000, requests: 1, tokens: 70 };
  const scope = { kind: "team", id: "team_1" };
  const lease = { scope, leaseId: "lease_1", windowId: "life", revision: 0, reserved: amount };
  const decision = record(orgId, "request.routed", {
    deadline: Date.now() - 100_000,
    team_id: "team_1",
    key_id: "key_1",
    model: "sim/echo",
    endpoint: "chat",
    stream: true,
    leases: [lease],
  });
  const log = auditLog(env, orgId);
  await log.append([decision]);
  expect(await runDurableObjectAlarm(stubOf(orgId))).toBe(true);
  const requests = async () =>
    (await log.list({})).records.filter(({ request_id }) => request_id !== undefined);
  await expect.poll(async () => (await requests()).length, { timeout: 20_000 }).toBe(2);
  const [outcome] = (await log.list({ type: "request.failed" })).records;
  expect(outcome).toMatchObject({ request_id: "req_1", estimated: true });
  const [spend] = await ledger(env, orgId, "team_1").spend([{ kind: "team", id: "team_1" }]);
  expect(spend?.settled).toEqual(amount);
  await runDurableObjectAlarm(stubOf(orgId));
  await runDurableObjectAlarm(stubOf(orgId));
  expect(await requests()).toHaveLength(2);
  const open = await runInDurableObject(stubOf(orgId), (_: AuditLog, state) =>
    state.storage.sql.exec("SELECT * FROM open_decisions").toArray(),
  );
  expect(open).toEqual([]);
  expect(alerts).toEqual([]);
});

test("events that other records tell are found by their names, also in a log of an earlier version", async () => {
  const orgId = newOrgId("global");
  const log = auditLog(env, orgId);
  await log.append([record(orgId, "request.blocked", { error: "policy_blocked" })]);
  await runInDurableObject(stubOf(orgId), (_: AuditLog, state) => {
    state.storage.sql.exec("ALTER TABLE entries DROP COLUMN told");
  });
  await evictDurableObject(stubOf(orgId));
  const budget = (scope: string) =>
    record(orgId, "budget.exceeded", { scope, scope_id: "1", threshold: "budget" });
  const records = [
    record(orgId, "request.blocked", { error: "policy_blocked", policy_version: 3 }),
    record(orgId, "request.blocked", { error: "model_not_found" }),
    budget("key"),
    budget("team"),
  ];
  expect(await log.append(records)).toEqual(records.map(() => ({ ok: true })));
  const found = async (type: AuditQuery["type"]) =>
    (await log.list({ ...(type && { type }) })).records.map(({ event_id, also }) => ({
      event_id,
      also,
    }));
  const [blocked, , ofKey] = records;
  const shown = [{ event_id: blocked?.eventId, also: ["policy.evaluated", "policy.blocked"] }];
  expect(await found("policy.blocked")).toEqual(shown);
  expect(await found("policy.evaluated")).toEqual(shown);
  expect(await found("key.budget_exceeded")).toEqual([
    { event_id: ofKey?.eventId, also: ["key.budget_exceeded"] },
  ]);
  expect(await found("request.blocked")).toHaveLength(3);
  expect(await found("spend.debited")).toEqual([]);
});

test("the alarm seals what came in, and the bucket's objects verify by themselves", async () => {
  const orgId = newOrgId("global");
  const log = auditLog(env, orgId);
  const records = Array.from({ length: 128 }, () =>
    record(orgId, "request.blocked", { user_id: "ada@example.com" }),
  );
  await log.append(records);
  await runDurableObjectAlarm(stubOf(orgId));
  await log.append(records.map(() => record(orgId, "request.blocked")));
  await log.append(records.map(() => record(orgId, "request.blocked")));
  const stand = await log.stand(true);
  expect(stand).toMatchObject({ records: 385, sealed: 385 });
  const archive = makeAuditArchive(env.ARCHIVE, archivePrefix(orgId));
  const objects = {
    names: () => archive.list("audit", null, 1_000),
    get: archive.read,
  };
  const report = await verifyLog(objects);
  expect(report).toMatchObject({ faults: [], size: 385, records: 385, head: stand.checkpoint });
  const names = await objects.names();
  const texts = await Promise.all(names.map(async (name) => archive.read(name)));
  const lines = await Promise.all(
    names.map(async (name, at) =>
      name.includes("/segments/") ? segmentLines(texts[at] ?? new Uint8Array()) : [],
    ),
  );
  expect(lines.flat()).toHaveLength(385);
  expect(lines.flat().join("")).not.toContain("ada@");

  const [first] = records;
  const proof = await log.proof(first?.eventId ?? "");
  const [key] = names.filter((name) => name.startsWith("audit/keys/"));
  const file = JSON.parse(
    new TextDecoder().decode((await archive.read(key ?? "")) ?? undefined),
  ) as {
    verifier_key: string;
  };
  const trusted = readVerifierKey(file.verifier_key);
  const proved = await checkProof(
    proof?.proof ?? "",
    proof?.record ?? "",
    trusted ? [trusted] : [],
  );
  expect(proved).toMatchObject({ leaf: { sequence: 1, eventId: first?.eventId } });
  expect(await log.proof("evt_0000000000000000000000")).toBeNull();

  // Who may read the log sees the person, until the salt is deleted; the log stays as it was.
  const shown = async () => (await log.list({ eventId: first?.eventId ?? "" })).records[0]?.user_id;
  expect(await shown()).toBe("ada@example.com");
  expect(await log.unlink("user", "ada@example.com")).toBe(true);
  const unlinked = await shown();
  expect(unlinked).toMatch(/^psn_/);
  expect((await verifyLog(objects)).faults).toEqual([]);
  // What the person does from now on has another pseudonym than what it did before, each time it is unlinked.
  const seen = new Set([unlinked]);
  for (let n = 0; n < 2; n++) {
    const made = [0, 1].map(() => record(orgId, "request.blocked", { user_id: "ada@example.com" }));
    for (const each of made) await log.append([each]);
    expect(await log.unlink("user", "ada@example.com")).toBe(true);
    for (const { eventId } of made) {
      const [found] = (await log.list({ eventId })).records;
      seen.add(found?.user_id);
    }
  }
  expect(seen.size).toBe(3);
});

test("a log whose archive holds something else says so to who asks for a proof, and takes records", async () => {
  const orgId = newOrgId("global");
  const log = auditLog(env, orgId);
  await log.append([record(orgId, "request.blocked")]);
  await env.ARCHIVE.put(`${archivePrefix(orgId)}audit/segments/1-1.jsonl.gz`, "something else");
  await expect(log.stand(true)).rejects.toMatchObject({
    kind: "audit_unavailable",
    message: expect.stringContaining("is not what was written"),
  });
  expect(await log.append([record(orgId, "request.blocked")])).toEqual([{ ok: true }]);
  expect(await log.stand(false)).toMatchObject({ records: 3, sealed: 1 });
  // Whoever subscribed is told once, however often the alarm finds it so.
  for (let n = 0; n < 2; n++) await runDurableObjectAlarm(stubOf(orgId));
  const told = await runInDurableObject(env.DELIVERY.getByName(`delivery/${orgId}`), (_, state) =>
    state.storage.sql
      .exec<{ record: string }>("SELECT record FROM deliveries")
      .toArray()
      .map((row) => JSON.parse(row.record) as AuditRecord),
  );
  expect(told.filter(({ type }) => type === "audit.unsealed")).toMatchObject([
    { orgId, data: { cause: "ArchiveDiffers", object: "audit/segments/1-1.jsonl.gz" } },
  ]);
});
