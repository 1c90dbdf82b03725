import { beforeEach, expect, test } from "vitest";
import { DeliveryRows } from "../../durable-objects/delivery-rows.ts";
import type { AuditRecord } from "../../worker/core/audit.ts";
import { ObjectSqlite } from "../support/object-sqlite.ts";
import { ORG } from "../support/settle-row.ts";

const T = 1_700_000_000_000;
const DAY = 86_400_000;

let rows: DeliveryRows;
beforeEach(() => {
  rows = new DeliveryRows(new ObjectSqlite().storage);
});

function event(eventId: string): AuditRecord {
  return { eventId, type: "budget.exceeded", at: T - 5, orgId: ORG, actor: "master", data: {} };
}

/** Tries whatever is due, at its time, until nothing is; answers when that was, since `from`. */
function tried(from: number, answer: (at: number) => number): number[] {
  const times: number[] = [];
  for (let due = rows.nextDue(); due !== null; due = rows.nextDue()) {
    for (const waiting of rows.due(due, 100)) {
      times.push(due - from);
      const status = answer(due);
      if (status === 200) rows.done(waiting.record.eventId);
      else rows.failed(waiting, status, due);
    }
  }
  return times;
}

test("an event that nobody takes is tried for a whole day with growing pauses, then it is dead and listed", () => {
  rows.add([event("e1")], T);
  const times = tried(T, () => 503);
  const pauses = times.slice(1).map((at, n) => at - (times[n] ?? 0));
  expect([times[0], times.at(-1)]).toEqual([0, DAY]);
  expect(pauses.slice(0, -1)).toEqual(pauses.slice(0, -1).toSorted((a, b) => a - b));
  expect(times.length).toBeGreaterThan(8);
  expect(rows.undelivered(null, 9)).toEqual({
    waiting: 0,
    dead: 1,
    deliveries: [
      {
        eventId: "e1",
        type: "budget.exceeded",
        at: T - 5,
        teamId: null,
        requestId: null,
        status: "dead",
        attempts: times.length,
        lastAt: T + DAY,
        lastStatus: 503,
        nextAt: null,
      },
    ],
  });
  // Its id is known: being told again does not revive it.
  rows.add([event("e1")], T + 2 * DAY);
  expect(rows.nextDue()).toBe(null);
});

test("what is dead is sent again for another day when asked for, and is told once", () => {
  rows.add([event("e1"), event("e2")], T);
  tried(T, () => 0);
  const later = T + 3 * DAY;
  expect(rows.countOf(["e1", "e1"])).toBe(1);
  expect(rows.countOf(["e1", "e9"])).toBe(null);
  rows.resend(["e1", "e9"], later);
  expect(rows.undelivered("waiting", 9).deliveries.map((each) => each.eventId)).toEqual(["e1"]);
  expect(tried(later, () => 500).at(-1)).toBe(DAY);
  expect(rows.undelivered("dead", 9)).toMatchObject({ waiting: 0, dead: 2 });
  rows.resend(null, later + 2 * DAY);
  expect(tried(later + 2 * DAY, () => 200)).toEqual([0, 0]);
  expect(rows.undelivered(null, 9)).toEqual({ waiting: 0, dead: 0, deliveries: [] });
  rows.resend(null, later + 3 * DAY);
  expect([rows.countOf(["e1"]), rows.nextDue()]).toEqual([null, null]);
});

test("what was told or is dead is forgotten after forty days; what waits is not", () => {
  rows.add([event("told"), event("dead")], T);
  for (const each of rows.due(T, 9)) {
    if (each.record.eventId === "told") rows.done("told");
    else rows.failed({ ...each, since: T - DAY }, 0, T);
  }
  const at = T + 41 * DAY;
  rows.add([event("waits")], at);
  expect(rows.undelivered(null, 9).deliveries.map((each) => each.eventId)).toEqual(["waits"]);
  rows.add([event("told")], at);
  expect(rows.due(at, 9).map(({ record }) => record.eventId)).toContain("told");
});
