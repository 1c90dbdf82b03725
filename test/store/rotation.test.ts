import { beforeEach, expect, test } from "vitest";
import type { Statement } from "../../worker/core/ports.ts";
import { writeChange } from "../../worker/store/changes.ts";
import { insertCredential } from "../../worker/store/credentials.ts";
import { openDb, type Db } from "../../worker/store/database.ts";
import { findKeyHash, insertKey, replaceToken } from "../../worker/store/keys.ts";
import {
  countOnOtherPepper,
  countSealed,
  countToRewrap,
  credentialsToRewrap,
  keysOnOtherPepper,
  rehashKey,
  replaceSealed,
  type PepperUse,
} from "../../worker/store/rotation.ts";
import { openRecord } from "../admin/record.ts";

const ORG = "gAbCdEf012345";
const OTHER = "gAbCdEf012346";
const at = { createdAt: 1, updatedAt: 1 };

let d1: D1Database;
let db: Db;
let changes = 0;
beforeEach(() => {
  ({ d1 } = openRecord());
  db = openDb(d1);
});

async function apply(statements: Statement[], id = `c${++changes}`, orgId = ORG): Promise<void> {
  const outcome = await writeChange(d1, orgId, { id, statements, touches: [], events: [] }, 1);
  expect(outcome).toEqual({ kind: "applied" });
}
const credential = (id: string, sealed: string, orgId = ORG) =>
  insertCredential(orgId, {
    id,
    provider: "openai",
    host: "h",
    version: 1,
    sealed,
    lastFour: "0000",
    ...at,
  });
const key = (id: string, pepperVersion: number, orgId = ORG) =>
  insertKey(orgId, {
    id,
    handle: `sha256:${id}`,
    name: "n",
    hash: `h-${id}`,
    pepperVersion,
    ...at,
  });

test("only what another version wraps is to be rewrapped, and only in its own organization", async () => {
  await apply([
    credential("a", "1.x"),
    credential("b", "2.x"),
    credential("c", "12.x"),
    credential("d", "1.x", OTHER),
  ]);
  const ids = async (most: number) =>
    (await credentialsToRewrap(db, ORG, 2, most)).map((each) => each.id);
  expect([await ids(10), await ids(1)]).toEqual([["a", "c"], ["a"]]);
  expect(await countToRewrap(db, ORG, 2)).toBe(2);
  expect(await countToRewrap(db, OTHER, 2)).toBe(1);
  expect(await countSealed(db, ORG, ["1.x", "12.x", "3.x"])).toBe(2);
});

test("a credential that was renewed while it was rewrapped keeps its new secret", async () => {
  await apply([credential("a", "1.old")]);
  const move = replaceSealed(ORG, "a", { from: "1.old", to: "2.old" });
  await apply([{ sql: "UPDATE credentials SET sealed = ?", params: ["2.new"] }]);
  await apply([move]);
  expect(await countSealed(db, ORG, ["2.new"])).toBe(1);
  // The same batch, repeated after its answer was lost.
  await apply([replaceSealed(ORG, "a", { from: "2.new", to: "3.new" })], "batch");
  await apply([replaceSealed(ORG, "a", { from: "3.new", to: "4.new" })], "batch");
  expect(await countSealed(db, ORG, ["3.new"])).toBe(1);
});

test("a key moves to another pepper under its revision, unless it got another token meanwhile", async () => {
  await apply([key("k1", 1), key("k2", 2), key("k3", 1, OTHER)]);
  expect(await keysOnOtherPepper(db, ORG, 2, "hash", { now: 1, most: 10 })).toEqual(["sha256:k1"]);
  const to = { hash: "h-new", pepperVersion: 2 };
  await apply([rehashKey(ORG, "k1", { from: { hash: "h-else", pepperVersion: 1 }, to })]);
  expect(await findKeyHash(db, ORG, "k1")).toMatchObject({ hash: "h-k1", revision: 1 });
  await apply([rehashKey(ORG, "k1", { from: { hash: "h-k1", pepperVersion: 1 }, to })]);
  expect(await findKeyHash(db, ORG, "k1")).toMatchObject({ ...to, revision: 1 });
  expect(await countOnOtherPepper(db, ORG, 2, "hash", 1)).toBe(0);
  expect(await countOnOtherPepper(db, OTHER, 2, "hash", 1)).toBe(1);
});

test("what needs a pepper counts until nothing does: check, hash, or a predecessor in its grace", async () => {
  const left = async (use: PepperUse, now = 10) => {
    const handles = await keysOnOtherPepper(db, ORG, 2, use, { now, most: 10 });
    expect(await countOnOtherPepper(db, ORG, 2, use, now)).toBe(handles.length);
    return handles.map((handle) => handle.slice("sha256:".length));
  };
  await apply([key("idle", 1), key("used", 1), key("graced", 1), key("new", 2)]);
  await apply([{ sql: "UPDATE keys SET expires_at = 9 WHERE id = 'idle'", params: [] }]);
  expect([await left("hash", 5), await left("any", 5)]).toEqual([
    ["graced", "idle", "used"],
    ["graced", "idle", "used"],
  ]);
  const from = { hash: "h-used", pepperVersion: 1 };
  await apply([rehashKey(ORG, "used", { from, to: { hash: "h-2", pepperVersion: 2 } })]);
  // Its hash has moved, its check has not; what has expired needs nothing any more.
  expect([await left("hash"), await left("any")]).toEqual([["graced"], ["graced", "used"]]);
  const token = { hash: "h-3", pepperVersion: 2, name: "n" };
  await apply([
    replaceToken(ORG, "graced", token, 100, {}),
    replaceToken(ORG, "used", token, null, {}),
  ]);
  expect([await left("hash"), await left("any")]).toEqual([[], ["graced"]]);
  expect(await left("any", 100)).toEqual([]);
});
