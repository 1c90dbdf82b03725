import {
  applyD1Migrations,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import type { D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test, vi } from "vitest";
import {
  archivePrefix,
  keyCheck,
  keyCheckName,
  kvPrefix,
  orgControl,
  orgControlName,
} from "../../durable-objects/addresses.ts";
import type { OrgControl } from "../../durable-objects/org-control.ts";
import { newOrgId } from "../../worker/core/ids.ts";
import type { Change, Statement } from "../../worker/core/ports.ts";
import { openDb } from "../../worker/store/database.ts";
import { remintKey } from "../../worker/store/key-token.ts";
import { issueKey, makeKeyVerifier, reissueKey } from "../../worker/store/key-verifier.ts";
import { findKeyHash, insertKey, replaceToken, updateKey } from "../../worker/store/keys.ts";
import { insertOrg } from "../../worker/store/orgs.ts";
import { findTeam, insertTeam } from "../../worker/store/teams.ts";
import { listAuditEvents } from "../../worker/store/audit-events.ts";
import { parseVersionedSecrets } from "../../worker/store/versioned-secrets.ts";

const at = { createdAt: 1, updatedAt: 1 };
const db = openDb(env.DB);
const peppers = parseVersionedSecrets("KEY_PEPPER", env.KEY_PEPPER);
let changes = 0;

function change(statements: Statement[], touches: string[]): Change {
  return { id: `change_${++changes}`, statements, touches, events: [] };
}

function stubOf(orgId: string) {
  return env.ORG_CONTROL.getByName(orgControlName(orgId));
}

/** An organization that was made the way operations make it. */
async function newOrg(): Promise<string> {
  const orgId = newOrgId("global");
  const made = change([insertOrg({ id: orgId, alias: orgId, ...at })], ["shared"]);
  expect(await orgControl(env, orgId).apply(made)).toEqual({ ok: true, revision: 1 });
  return orgId;
}

async function newKey(orgId: string) {
  const issued = await issueKey({ peppers, keyCheck: (o, k) => keyCheck(env, o, k) }, orgId);
  const { keyId, handle, name, hash, pepperVersion } = issued;
  const row = { id: keyId, handle, name, hash, pepperVersion, ...at };
  await orgControl(env, orgId).apply(change([insertKey(orgId, row)], [`key:${keyId}`]));
  return issued;
}

beforeAll(async () => {
  const { TEST_MIGRATIONS } = env as unknown as { TEST_MIGRATIONS: D1Migration[] };
  await applyD1Migrations(env.DB, TEST_MIGRATIONS);
});

test("an organization that does not exist costs its object no write", async () => {
  const orgId = newOrgId("global");
  const opened = await orgControl(env, orgId).open("nokeynokey12", -1);
  expect(opened).toEqual({ revision: 0, shared: undefined, key: null, team: null, user: null });
  expect(await orgControl(env, orgId).sync(0)).toEqual({ revision: 0, touched: [] });
  const tables = "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\'";
  const made = await runInDurableObject(stubOf(orgId), (_, state) =>
    state.storage.sql.exec(tables).toArray(),
  );
  expect(made).toEqual([]);
});

test("a change is applied once with its events, and every copy hears what it touched", async () => {
  const orgId = await newOrg();
  const control = orgControl(env, orgId);
  const key = await newKey(orgId);
  expect((await control.open(key.keyId, -1)).key?.blocked).toBe(false);
  const block: Change = {
    ...change([updateKey(orgId, key.keyId, { blocked: true })], [`key:${key.keyId}`]),
    events: [
      { eventId: "evt_1", type: "key.created", at: 1, orgId, actor: "master", data: { id: "k" } },
    ],
  };
  expect(await control.apply(block)).toEqual({ ok: true, revision: 3 });
  expect(await control.apply(block)).toEqual({ ok: true, revision: 4 });
  const opened = await control.open(key.keyId, 4);
  expect(opened).toMatchObject({ revision: 4, key: { blocked: true, revision: 2 } });
  expect(opened.shared).toBeUndefined();
  expect(await control.sync(2)).toEqual({ revision: 4, touched: [`key:${key.keyId}`] });
  expect(await control.sync(9)).toEqual({ revision: 4, touched: "all" });
  expect((await listAuditEvents(db, orgId)).total).toBe(1);
  await evictDurableObject(stubOf(orgId));
  expect(await control.sync(1)).toMatchObject({ revision: 4 });
});

test("a conflict names its column, writes nothing and leaves the next change free", async () => {
  const orgId = await newOrg();
  const control = orgControl(env, orgId);
  const team = (id: string, alias: string) => insertTeam(orgId, { id, alias, ...at });
  await control.apply(change([team("t1", "a")], ["team:t1"]));
  const both = change([team("t2", "b"), team("t3", "a")], ["team:t2", "team:t3"]);
  expect(await control.apply(both)).toEqual({ ok: false, conflict: "teams.alias" });
  expect(await findTeam(db, orgId, "t2")).toBeNull();
  const bad = change([{ sql: "INSERT INTO nowhere VALUES ('canary')", params: [] }], []);
  await expect(control.apply(bad)).rejects.toMatchObject({ kind: "internal_error" });
  expect(await control.apply(change([team("t4", "d")], ["team:t4"]))).toMatchObject({ ok: true });
});

test("a change whose answer was lost is finished by the alarm, once, also after a reload", async () => {
  const orgId = await newOrg();
  const control = orgControl(env, orgId);
  const batch = vi.spyOn(Object.getPrototypeOf(env.DB) as D1Database, "batch");
  const lost = change([insertTeam(orgId, { id: "t1", alias: "lost", ...at })], ["team:t1"]);
  batch.mockRejectedValueOnce(new Error("D1_ERROR: Network connection lost."));
  await expect(control.apply(lost)).rejects.toMatchObject({ kind: "control_plane_unavailable" });
  expect(await control.sync(1)).toEqual({ revision: 1, touched: [] });
  await evictDurableObject(stubOf(orgId));
  expect(await runDurableObjectAlarm(stubOf(orgId))).toBe(true);
  expect(await control.sync(1)).toEqual({ revision: 2, touched: ["team:t1"] });
  expect((await findTeam(db, orgId, "lost"))?.id).toBe("t1");
  batch.mockRestore();
});

test("an object serves the organization of its name alone", async () => {
  const [one, other] = [await newOrg(), await newOrg()];
  const answer = await runInDurableObject(stubOf(one), (instance) =>
    (instance as unknown as OrgControl).sync(other, 0),
  );
  expect(answer).toEqual({ fault: "Error" });
});

test("a key is proved by its own token until it changes, and too many failures wait", async () => {
  const orgId = await newOrg();
  const key = await newKey(orgId);
  const stored = await findKeyHash(db, orgId, key.keyId);
  expect(stored?.hash).toMatch(/^\$2[aby]\$04\$/);
  const isolate = { keyTags: new Map(), tagSecret: new Uint8Array(32), orgs: new Map() };
  const keys = makeKeyVerifier({
    peppers,
    masterKeys: [env.MASTER_KEY],
    isolate,
    keyCheck: (o, k) => keyCheck(env, o, k),
    now: Date.now,
  });
  const proof = () => keys.verify(key.token, key, "192.0.2.1");
  expect(await proof()).toEqual({ valid: true, revision: 1 });

  // Regenerated in place: the object proved the old token before and must not remember it.
  const next = remintKey(peppers, key);
  const hash = await keyCheck(env, orgId, key.keyId).hash("another digest");
  await orgControl(env, orgId).apply(
    change([updateKey(orgId, key.keyId, { hash })], [`key:${key.keyId}`]),
  );
  isolate.keyTags.clear();
  expect(await proof()).toEqual({ valid: false, revision: 2 });

  const failures = Array.from({ length: 12 }, () => keys.verify(next.token, key, "192.0.2.1"));
  const results = await Promise.allSettled(failures);
  expect(results.some((result) => result.status === "fulfilled" && result.value.valid)).toBe(false);
  await expect(proof()).rejects.toMatchObject({ kind: "rate_limit_exceeded" });
  expect((await keys.verify(next.token, key, "192.0.2.2")).valid).toBe(false);
  const missing = { orgId, keyId: "nokeynokey12" };
  expect(await keys.verify(key.token, missing, null)).toEqual({ valid: false, revision: 0 });
});

test("a regenerated key's old token counts as long as its grace, and the new one is rehashed by itself alone", async () => {
  const orgId = await newOrg();
  const key = await newKey(orgId);
  const isolate = { keyTags: new Map(), tagSecret: new Uint8Array(32), orgs: new Map() };
  const check = (o: string, k: string) => keyCheck(env, o, k);
  const parts = { peppers, keyCheck: check };
  const keys = makeKeyVerifier({ ...parts, masterKeys: [], isolate, now: Date.now });
  const regenerate = async (until: number | null) => {
    const { token, hash, pepperVersion, name } = await reissueKey(parts, key);
    const replaced = replaceToken(orgId, key.keyId, { hash, pepperVersion, name }, until, {});
    await orgControl(env, orgId).apply(change([replaced], [`key:${key.keyId}`]));
    return token;
  };
  const valid = async (token: string) => {
    isolate.keyTags.clear();
    return (await keys.verify(token, key, null)).valid;
  };
  const second = await regenerate(Date.now() + 60_000);
  expect([await valid(key.token), await valid(second)]).toEqual([true, true]);
  const third = await regenerate(Date.now() - 1);
  expect([await valid(key.token), await valid(second), await valid(third)]).toEqual([
    false,
    false,
    true,
  ]);
  const fourth = await regenerate(null);
  expect([await valid(third), await valid(fourth)]).toEqual([false, true]);
});

test("addresses are derived from the organization's id for ever", () => {
  const orgId = "gAbCdEf012345";
  expect(orgControlName(orgId)).toBe("org-control/gAbCdEf012345");
  expect(keyCheckName(orgId, "abcdefghijkl")).toBe("key-check/gAbCdEf012345/5");
  expect(archivePrefix("eAbCdEf012345")).toBe("eu/eAbCdEf012345/");
  expect(kvPrefix("fAbCdEf012345")).toBe("fedramp:fAbCdEf012345:");
  expect(() => archivePrefix("../other")).toThrow("bare organization id");
});

test("a region's objects live in its jurisdiction, and nowhere else when self-hosted", async () => {
  const asked: string[] = [];
  const home = { idFromName: () => "id", get: () => ({ sync: async () => ({ value: 0 }) }) };
  const ORG_CONTROL = { ...home, jurisdiction: (name: string) => (asked.push(name), home) };
  const world = (PROFILE: string) => ({ ...env, ORG_CONTROL, PROFILE }) as unknown as Env;
  for (const letter of ["g", "e", "f"]) {
    await orgControl(world("cloud"), `${letter}AbCdEf012345`).sync(0);
    await orgControl(world("self-hosted"), `${letter}AbCdEf012345`).sync(0);
  }
  expect(asked).toEqual(["eu", "fedramp"]);
});
