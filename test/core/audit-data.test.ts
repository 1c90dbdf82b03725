import { describe, expect, test } from "vitest";
import type { AuditEventType, AuditRecord } from "../../worker/core/audit.ts";
import { fitRecord, readRecord } from "../../worker/core/audit-record.ts";
import { timeOrderedId } from "../../worker/core/ids.ts";
import type { JsonObject } from "../../worker/core/json.ts";

const AT = 1_800_000_000_000;
const CONTENT = "The patient's name is";

function record(type: AuditEventType, data: JsonObject): AuditRecord {
  const eventId = `evt_${timeOrderedId(AT)}`;
  return { eventId, type, at: AT, orgId: "gAAAAAAAAAAAA", actor: "master", requestId: "r", data };
}

const leases = [
  {
    scope: { kind: "team", id: "t" },
    leaseId: "l",
    windowId: "w",
    revision: 0,
    reserved: { cost: 5, requests: 1, tokens: 7 },
  },
];

describe("the data of a record", () => {
  test.each<[string, AuditEventType, JsonObject]>([
    ["a member that no form names", "request.routed", { prompt: CONTENT }],
    [
      "a member that no form names, further in",
      "request.routed",
      { candidates: [{ deployment: "d", system: CONTENT }] },
    ],
    [
      "text beside an input's hash",
      "request.routed",
      {
        inputs: { key_version: 1, total: 1, messages: [{ role: "user", bytes: 1, hash: CONTENT }] },
      },
    ],
    ["text where an id stands", "request.routed", { model: CONTENT.repeat(20) }],
    ["an outcome's member on a decision", "request.routed", { cost_usd: "1" }],
    ["text in place of an amount", "request.completed", { cost_usd: CONTENT }],
    ["deep objects in a change", "team.updated", { more: { a: { b: { c: CONTENT } } } }],
  ])("can't hold %s: the log refuses it, the path leaves it out", (_, type, data) => {
    const read = readRecord(record(type, data));
    expect(read).toMatchObject({ reason: expect.stringContaining("data is not well formed") });
    const fit = fitRecord(
      record(type, { ...data, ...(type !== "team.updated" && { stream: true }) }),
    );
    if (!("record" in fit)) throw new Error(fit.reason);
    expect(JSON.stringify(fit.record)).not.toContain(CONTENT);
    expect(fit.record.data).toEqual({
      cut: Object.keys(data),
      ...(type !== "team.updated" && { stream: true }),
    });
  });

  test("has no halves of characters: they have no canonical form, and would outgrow their members on the way", () => {
    const data = { model: `${"a".repeat(255)}\ud83d`, customer_id: "\udc00".repeat(256) };
    const fit = fitRecord(record("request.routed", { ...data, plan: ["\ud800", "\\ud800"] }));
    if (!("record" in fit)) throw new Error(fit.reason);
    expect(fit.record.data).toEqual({
      model: `${"a".repeat(255)}\ufffd`,
      customer_id: "\ufffd".repeat(256),
      plan: ["\ufffd", "\\ud800"],
    });
  });

  test("keeps what settles an abandoned request when it has to be cut", () => {
    const candidates = Array.from({ length: 200 }, (_, n) => ({ deployment: `d${n}`.repeat(30) }));
    const long = Array.from({ length: 25 }, () => ({ ...leases[0], windowId: "w".repeat(200) }));
    const fit = fitRecord(
      record("request.routed", { model: "m", seed: 7, candidates, leases: long, deadline: AT }),
    );
    if (!("record" in fit)) throw new Error(fit.reason);
    expect(fit.record.data).toEqual({
      model: "m",
      seed: 7,
      leases: long,
      deadline: AT,
      cut: ["candidates"],
    });
  });
});

test("a refused credential is told by its closed form alone, without the provider's words", () => {
  const data = {
    deployment: "d",
    group: "g",
    provider: "p",
    model: "m",
    status: 401,
    window_start: "2026-11-21T10:00:00.000Z",
    window_end: "2026-11-21T10:01:00.000Z",
  };
  expect(readRecord(record("credential.refused", data))).toHaveProperty("record");
  for (const more of [{ message: "m" }, { code: CONTENT }, { secret: "s" }]) {
    expect(readRecord(record("credential.refused", { ...data, ...more }))).toHaveProperty("reason");
  }
});
