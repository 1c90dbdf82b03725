import { beforeEach, describe, expect, test } from "vitest";
import { AuditLogMachine, SEEN_MS } from "../../durable-objects/audit-log-machine.ts";
import { AuditLogSqlite } from "../../durable-objects/audit-log-sqlite.ts";
import type { AuditEventType, AuditQuery, AuditRecord } from "../../worker/core/audit.ts";
import { eventTime, firstEventId } from "../../worker/core/audit-record.ts";
import { timeOrderedId } from "../../worker/core/ids.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { ObjectSqlite } from "../support/object-sqlite.ts";

const ORG = "gAAAAAAAAAAAA";
const START = 1_800_000_000_000;
const MINUTE = 60_000;

let disk: ObjectSqlite;
let now: number;
let alarmAt: number | null;
let handed: string[][];
let ledger: (decisions: AuditRecord[]) => Promise<void>;
let log: AuditLogMachine;

/** What remains after a crash is the disk and the alarm. */
function load(): AuditLogMachine {
  const alarm = {
    set: async (at: number) => {
      alarmAt = at;
    },
  };
  const abandoned = async (decisions: AuditRecord[]) => {
    handed.push(decisions.map(({ requestId }) => requestId ?? ""));
    await ledger(decisions);
  };
  return new AuditLogMachine(ORG, new AuditLogSqlite(disk.storage), alarm, abandoned, () => now);
}

function record(type: AuditEventType, requestId: string, data: JsonObject = {}): AuditRecord {
  const eventId = `evt_${timeOrderedId(now)}`;
  return { eventId, type, at: now, orgId: ORG, actor: "key:sha256:1", requestId, data };
}

function ids(query: AuditQuery = {}): string[] {
  return log.list(query).found.map(({ eventId }) => eventId);
}

/** Rings the alarm each time that it is due until a time. */
async function runUntil(time: number): Promise<void> {
  while (alarmAt !== null && alarmAt <= time) {
    now = Math.max(now, alarmAt);
    alarmAt = null;
    await log.onAlarm();
  }
  now = time;
}

beforeEach(() => {
  disk = new ObjectSqlite();
  now = START;
  alarmAt = null;
  handed = [];
  ledger = async () => undefined;
  log = load();
});

test("an event id tells its time and sorts by it", () => {
  const id = `evt_${timeOrderedId(START)}`;
  expect(eventTime(id)).toBe(START);
  expect(firstEventId(START) < id && id < firstEventId(START + 1)).toBe(true);
  expect(eventTime("evt_short")).toBeNull();
});

describe("append", () => {
  test("a record that is sent again, in one call or a later life, is in the log once", async () => {
    const [a, b, c] = ["r1", "r2", "r3"].map((id) => record("request.blocked", id));
    expect(await log.append([a, b, a])).toEqual([{ ok: true }, { ok: true }, { ok: true }]);
    log = load();
    expect(await log.append([b, c])).toEqual([{ ok: true }, { ok: true }]);
    const { found } = log.list({});
    expect(found.map((each) => each.eventId)).toEqual([c, b, a].map((each) => each?.eventId));
    expect(found.map((each) => each.sequence)).toEqual([3, 2, 1]);
  });

  test("of 64 records with a bad one 63 are in the log", async () => {
    const records: unknown[] = Array.from({ length: 64 }, (_, n) =>
      record("request.blocked", `r${n}`),
    );
    records[17] = { ...(records[17] as AuditRecord), prompt: "a secret of the caller" };
    const results = await log.append(records);
    expect(results.filter((result) => result.ok)).toHaveLength(63);
    expect(results[17]).toEqual({
      ok: false,
      refused: true,
      reason: "the record is not well formed: members it may not have",
    });
    expect(ids({ limit: 100 })).toHaveLength(63);
  });

  test("no half of a character keeps a change out of the log", async () => {
    const updated_values = { model_group_alias: { "x\ud800": "m\udfff" } };
    const change = record("config.updated", "r", { object_id: "c\ud800", updated_values });
    expect(await log.append([change])).toEqual([{ ok: true }]);
    const [found] = log.list({}).found;
    expect(JSON.parse(found?.body ?? "")).toMatchObject({
      object_id: "c\ufffd",
      updated_values: { model_group_alias: { "x\ufffd": "m\ufffd" } },
    });
  });

  test.each<[string, () => unknown, RegExp]>([
    ["nothing", () => undefined, /shape/],
    ["an unknown type", () => ({ ...record("request.blocked", "r"), type: "request.x" }), /type/],
    ["another organization", () => ({ ...record("request.blocked", "r"), orgId: "gB" }), /another/],
    ["17 KB", () => record("request.blocked", "r", { plan: ["é".repeat(8_300)] }), /larger/],
    ["data that is no JSON", () => record("request.blocked", "r", { n: 1n as never }), /not JSON/],
    ["data that is a list", () => ({ ...record("request.blocked", "r"), data: [] }), /data/],
    [
      "an id of 31 days ago",
      () => ({
        ...record("request.blocked", "r"),
        eventId: `evt_${timeOrderedId(now - SEEN_MS - 1)}`,
      }),
      /too old/,
    ],
  ])("refuses %s for good and writes nothing", async (_, make, reason) => {
    const [result] = await log.append([make()]);
    expect(result).toMatchObject({ ok: false, refused: true });
    expect(result?.ok === false && result.reason).toMatch(reason);
    expect(ids()).toEqual([]);
  });

  test("killed at any step of the transaction, nothing is half written, and sent again it is in once", async () => {
    const seed = record("request.routed", "r0");
    for (const first of [[], [seed]]) {
      for (let kill = 0; ; kill++) {
        disk = new ObjectSqlite();
        log = load();
        await log.append(first);
        const group = [record("request.routed", "r1"), record("request.completed", "r0")];
        disk.fault = (step) => {
          if (step === kill) throw new Error("killed");
        };
        const results = await log.append(group);
        disk.fault = () => undefined;
        if (results.every((result) => result.ok)) {
          expect(kill).toBeGreaterThanOrEqual(4);
          break;
        }
        expect(results.map((result) => result.ok)).toEqual([false, false]);
        expect(results[0]).not.toHaveProperty("refused");
        log = load();
        expect(ids()).toHaveLength(first.length);
        expect(await log.append(group)).toEqual([{ ok: true }, { ok: true }]);
        expect(log.list({}).found.map((each) => each.sequence)).toHaveLength(first.length + 2);
        await runUntil(now + 11 * MINUTE);
        expect(handed).toEqual([["r1"]]);
        handed = [];
        now = START;
      }
    }
  });

  test("an alarm that can not be set holds the record back", async () => {
    const deaf = new AuditLogMachine(
      ORG,
      new AuditLogSqlite(disk.storage),
      { set: () => Promise.reject(new Error("no alarm")) },
      () => Promise.resolve(),
      () => now,
    );
    expect(await deaf.append([record("request.routed", "r1")])).toMatchObject([{ ok: false }]);
    expect(ids()).toEqual([]);
  });
});

test("an event id is known for 30 days, and then taken no more", async () => {
  const old = record("request.blocked", "r1");
  await log.append([old]);
  await runUntil(START + SEEN_MS);
  expect(await log.append([old])).toEqual([{ ok: true }]);
  await runUntil(START + SEEN_MS + 3 * 86_400_000);
  const seen = "SELECT count(*) AS n FROM seen";
  expect(disk.sql.exec(seen).one()).toEqual({ n: 0 });
  expect(await log.append([old])).toMatchObject([{ ok: false, refused: true }]);
  expect(ids()).toEqual([old.eventId]);
});

describe("a decision without an outcome", () => {
  test("is handed over 60 s after its deadline, and again until its outcome is there", async () => {
    const deadline = now + MINUTE;
    await log.append([record("request.routed", "dead", { deadline })]);
    await log.append([record("request.routed", "alive", { deadline })]);
    await log.append([record("request.completed", "alive")]);
    await runUntil(deadline + 59_000);
    expect(handed).toEqual([]);
    ledger = () => Promise.reject(new Error("no ledger"));
    await runUntil(deadline + 2 * MINUTE);
    expect(handed.length).toBeGreaterThan(0);
    const before = handed.length;
    ledger = async (decisions) => {
      await log.append(decisions.map(({ requestId }) => record("request.failed", requestId ?? "")));
    };
    await runUntil(deadline + 600 * MINUTE);
    expect(handed.length).toBe(before + 1);
    expect(new Set(handed.flat())).toEqual(new Set(["dead"]));
    expect(ids({ requestId: "dead" })).toHaveLength(2);
  });

  test("survives the object's death, even if it was loaded by an append of something else", async () => {
    await log.append([record("request.routed", "dead", { deadline: now + 1_000 })]);
    now += 5_000;
    log = load();
    await log.append([record("request.blocked", "other")]);
    await runUntil(now + 1.5 * MINUTE);
    expect(handed).toEqual([["dead"]]);
  });

  test("is not opened by a decision that comes after its outcome", async () => {
    const decision = record("request.routed", "r1", { deadline: now + 1_000 });
    await log.append([record("request.cancelled", "r1")]);
    await log.append([decision, decision]);
    await runUntil(now + 30 * MINUTE);
    expect(handed).toEqual([]);
  });

  test("without a deadline of its own waits for the longest request", async () => {
    await log.append([record("request.routed", "r1")]);
    await runUntil(START + 11 * MINUTE - 1);
    expect(handed).toEqual([]);
    await runUntil(START + 11 * MINUTE + 30_000);
    expect(handed).toEqual([["r1"]]);
  });
});

test("reads pages by time, type and request, each record on one page", async () => {
  const made: AuditRecord[] = [];
  for (let n = 0; n < 25; n++) {
    now += n % 3 === 0 ? 1_000 : 0;
    made.push(record(n % 5 === 0 ? "request.blocked" : "request.completed", `r${n % 10}`));
  }
  await log.append(made);
  const pages: string[] = [];
  let cursor: string | null | undefined;
  do {
    const page = log.list({ limit: 7, ...(cursor && { cursor }) });
    pages.push(...page.found.map(({ eventId }) => eventId));
    cursor = page.cursor;
  } while (cursor !== null);
  expect(pages).toEqual(made.map(({ eventId }) => eventId).toReversed());
  expect(ids({ type: "request.blocked" })).toHaveLength(5);
  expect(ids({ requestId: "r3" })).toHaveLength(3);
  expect(ids({ from: START + 2_000, to: START + 3_000 })).toHaveLength(3);
  expect(ids({ cursor: "nonsense", limit: 2 })).toHaveLength(2);
});

describe("what a request came to hold after its decision", () => {
  const ref = (kind: string, leaseId: string, cost: number) => ({
    scope: { kind, id: "x" },
    leaseId,
    windowId: "life",
    revision: 1,
    reserved: { cost, requests: 1, tokens: 0 },
  });
  const raise = (requestId: string, leases: JsonObject[]) =>
    record("request.hold_raised", requestId, { deployment: "d", group: "g", attempts: 1, leases });
  const decision = (requestId: string) =>
    record("request.routed", requestId, { deadline: now + MINUTE, leases: [ref("team", "1", 5)] });

  test("is charged with it, in whatever order its records came, and in whatever life", async () => {
    const charged = new Map<string, unknown>();
    ledger = async (decisions) => {
      for (const { requestId, data } of decisions) {
        const leases = data["leases"] as ReturnType<typeof ref>[];
        const sorted = leases.toSorted((a, b) => Number(a.leaseId) - Number(b.leaseId));
        charged.set(requestId ?? "", sorted);
      }
    };
    const first = [ref("team", "1", 9), ref("group", "2", 4)];
    const second = [ref("team", "1", 12), ref("team", "3", 1), ref("group", "2", 4)];
    await log.append([decision("r1"), raise("r1", first)]);
    await log.append([raise("r2", second)]);
    log = load();
    await log.append([raise("r2", first), decision("r2"), decision("r3")]);
    await runUntil(START + 10 * MINUTE);
    expect(charged.get("r1")).toEqual(first);
    expect(charged.get("r2")).toEqual([
      ref("team", "1", 12),
      ref("group", "2", 4),
      ref("team", "3", 1),
    ]);
    expect(charged.get("r3")).toEqual([ref("team", "1", 5)]);
  });

  test("is forgotten with its outcome, and not remembered after it", async () => {
    const left = () => disk.sql.exec("SELECT request_id FROM raises").toArray().length;
    await log.append([decision("r1"), raise("r1", [ref("group", "2", 4)])]);
    expect(left()).toBe(1);
    await log.append([record("request.completed", "r1")]);
    await log.append([raise("r1", [ref("group", "2", 4)])]);
    expect(left()).toBe(0);
  });
});
