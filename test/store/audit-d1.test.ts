import { expect, test } from "vitest";
import type { AuditRecord } from "../../worker/core/audit.ts";
import { makeD1Audit } from "../../worker/store/audit-d1.ts";
import { writeOutcome } from "../../worker/store/changes.ts";

const record = (n: number, data = {}): AuditRecord => ({
  eventId: `evt_${n}`,
  type: "team.created",
  at: 1,
  orgId: "g000000000000",
  actor: "master",
  data,
});

/** A database that only counts what each transaction would write, and fails when told to. */
function database(fails: (ids: string[], call: number) => boolean) {
  const calls: string[][] = [];
  const d1 = {
    prepare: () => ({ bind: (json: string) => JSON.parse(json) as AuditRecord[] }),
    batch: async ([, records = []]: AuditRecord[][]) => {
      const ids = records.map((each) => each.eventId);
      if (fails(ids, calls.push(ids))) throw new Error("away");
    },
  };
  return { d1: d1 as unknown as D1Database, calls };
}

test("a group that failed is sent once more, then record by record, and nothing throws", async () => {
  const poison = database((ids) => ids.includes("evt_1"));
  const results = await makeD1Audit(poison.d1).append([record(0), record(1), record(2)]);
  expect(results.map((result) => result.ok)).toEqual([true, false, true]);
  expect(poison.calls.map((ids) => ids.length)).toEqual([3, 3, 1, 1, 1]);
  const shaken = database((_, call) => call === 1);
  expect(await makeD1Audit(shaken.d1).append([record(0)])).toEqual([{ ok: true }]);
});

test("groups keep to 128 records and 100 KB; what is no JSON or too big costs only itself", async () => {
  const { d1, calls } = database(() => false);
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const many = Array.from({ length: 200 }, (_, n) => record(n));
  const big = Array.from({ length: 10 }, (_, n) => record(1_000 + n, { text: "é".repeat(7_000) }));
  const results = await makeD1Audit(d1).append([...many, ...big, record(-1, circular)]);
  expect(results.filter((result) => result.ok)).toHaveLength(210);
  expect(results.at(-1)).toMatchObject({ ok: false });
  expect(calls.every((ids) => ids.length <= 128)).toBe(true);
  expect(calls.filter((ids) => ids.includes("evt_1009") && ids.length > 7)).toEqual([]);
});

test.each([
  ["D1_ERROR: UNIQUE constraint failed: changes.org_id, changes.id: SQLITE_CONSTRAINT", "applied"],
  ["D1_ERROR: UNIQUE constraint failed: keys.org_id, keys.alias: SQLITE_CONSTRAINT", "conflict"],
  ["D1_ERROR: NOT NULL constraint failed: keys.hash: SQLITE_CONSTRAINT", "refused"],
  ['D1_ERROR: near "x": syntax error at offset 0: SQLITE_ERROR', "refused"],
  ["D1_TYPE_ERROR: Type 'object' not supported for value 'x'", "refused"],
  ["D1_ERROR: Network connection lost.", "unknown"],
  [
    "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
    "unknown",
  ],
  ["", "unknown"],
])("of %j the outcome is %s", (message, kind) => {
  const outcome = writeOutcome(new Error(message));
  expect(outcome.kind).toBe(kind);
  if (outcome.kind === "conflict") expect(outcome.what).toBe("keys.alias");
});
