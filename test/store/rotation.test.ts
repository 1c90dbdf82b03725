import { beforeEach, expect, test } from "vitest";
import type { Statement } from "../../worker/core/ports.ts";
import { writeChange } from "../../worker/store/changes.ts";
import { insertCredential } from "../../worker/store/credentials.ts";
import { openDb, type Db } from "../../worker/store/database.ts";
import { findKeyHash, insertKey } from "../../worker/store/keys.ts";
import {
  countOnOtherPepper,
  countSealed,
  countToRewrap,
  credentialsToRewrap,
  keysOnOtherPepper,
  rehashKey,
  replaceSealed,
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
  expect(await keysOnOtherPepper(db, ORG, 2, 10)).toEqual(["sha256:k1"]);
  const to = { hash: "h-new", pepperVersion: 2 };
  await apply([rehashKey(ORG, "k1", { from: { hash: "h-else", pepperVersion: 1 }, to })]);
  expect(await findKeyHash(db, ORG, "k1")).toMatchObject({ hash: "h-k1", revision: 1 });
  await apply([rehashKey(ORG, "k1", { from: { hash: "h-k1", pepperVersion: 1 }, to })]);
  expect(await findKeyHash(db, ORG, "k1")).toMatchObject({ ...to, revision: 1 });
  expect(await countOnOtherPepper(db, ORG, 2)).toBe(0);
  expect(await countOnOtherPepper(db, OTHER, 2)).toBe(1);
});
