import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { AuditLogMachine } from "../../durable-objects/audit-log-machine.ts";
import { AuditLogSqlite } from "../../durable-objects/audit-log-sqlite.ts";
import type { OutboxItem } from "../../worker/core/account.ts";
import type { AuditRecord } from "../../worker/core/audit.ts";
import { timeOrderedId } from "../../worker/core/ids.ts";
import type { Json } from "../../worker/core/json.ts";
import type { TrailMessage } from "../../worker/core/trail.ts";
import { consumeDeadTrail, consumeTrail } from "../../worker/queues/trail.ts";
import type { Delivery, TrailConsumer } from "../../worker/queues/trail.ts";
import { makeQuarantine } from "../../worker/store/quarantine.ts";
import { makeQueuedSink, queuedTrail } from "../../worker/store/trail-queue.ts";
import { ObjectSqlite } from "../support/object-sqlite.ts";

const A = "gAAAAAAAAAAAA";
const B = "eBBBBBBBBBBBB";
const START = 1_800_000_000_000;

function record(orgId: string, extra: object = {}): AuditRecord {
  const eventId = `evt_${timeOrderedId(START)}`;
  return { eventId, type: "request.blocked", at: START, orgId, actor: "key:1", data: {}, ...extra };
}

/** A queue that keeps what it took until it is acknowledged, and hands it out in any order. */
class Queue {
  readonly held = new Map<string, Json>();
  acked: string[] = [];
  #sent = 0;

  send = async (body: unknown) => {
    this.held.set(`m${++this.#sent}`, JSON.parse(JSON.stringify(body)) as Json);
  };

  delivery(id: string): Delivery {
    const ack = () => {
      this.held.delete(id);
      this.acked.push(id);
    };
    return { id, body: structuredClone(this.held.get(id)), ack, retry: () => undefined };
  }
}

let queue: Queue;
let logs: Map<string, AuditLogMachine>;
let disks: Map<string, ObjectSqlite>;
let delivered: OutboxItem[];
let archive: Map<string, string>;
let lines: string[];
let consumer: TrailConsumer;
/** Called before each write of the consumer; what it throws is the write's failure. */
let fault: (what: string) => void;

function logOf(orgId: string): AuditLogMachine {
  const known = logs.get(orgId);
  if (known) return known;
  const disk = new ObjectSqlite();
  disks.set(orgId, disk);
  const alarm = { set: () => Promise.resolve() };
  const made = new AuditLogMachine(
    orgId,
    new AuditLogSqlite(disk.storage),
    alarm,
    () => Promise.resolve(),
    () => START,
  );
  logs.set(orgId, made);
  return made;
}

function inLog(orgId: string): string[] {
  return logOf(orgId)
    .list({ limit: 1_000 })
    .found.map(({ eventId }) => eventId);
}

beforeEach(() => {
  queue = new Queue();
  logs = new Map();
  disks = new Map();
  delivered = [];
  archive = new Map();
  lines = [];
  fault = () => undefined;
  const keep = async (name: string, text: Uint8Array | string) => {
    fault("archive");
    archive.set(name, String(text));
  };
  const prefixOf = (orgId: string) => `x/${orgId}/`;
  const alert = (message: string, { object }: { object: string }) =>
    lines.push(`${message} ${object}`);
  const line = (message: string, fields: object) =>
    lines.push(`${message} ${JSON.stringify(fields)}`);
  consumer = {
    auditLog: (orgId) => ({
      append: async (records) => {
        fault(`log ${orgId}`);
        return logOf(orgId).append(records);
      },
    }),
    sink: {
      deliver: async (items) => {
        fault("sink");
        delivered.push(...items);
        return items.map(({ seq }) => seq);
      },
    },
    setAside: makeQuarantine({ archive: { put: keep }, prefixOf, alert }),
    keep,
    prefixOf,
    log: { info: line, warn: line, error: line },
  };
});

const all = () => [...queue.held.keys()].map((id) => queue.delivery(id));
const outcome = (orgId: string, seq: number): OutboxItem => ({
  seq,
  kind: "outcome",
  record: record(orgId),
});

describe("the queue's side of an append", () => {
  const direct: string[][] = [];
  const send = queuedTrail(
    async (message: TrailMessage) => {
      fault("queue");
      await queue.send(message);
    },
    async (orgId, records) => {
      direct.push(records.map(({ eventId }) => eventId));
      return logOf(orgId).append(records);
    },
  );

  test("is durable once the queue took the group, as one message", async () => {
    expect(await send(A, [record(A), record(A)])).toEqual([{ ok: true }, { ok: true }]);
    expect(queue.held.size).toBe(1);
    expect(inLog(A)).toEqual([]);
  });

  test("goes straight to the log when the queue throws, and says so when that fails as well", async () => {
    fault = () => {
      throw new Error("no queue");
    };
    const one = record(A);
    expect(await send(A, [one])).toEqual([{ ok: true }]);
    expect(inLog(A)).toEqual([one.eventId]);
    const disk = disks.get(A);
    if (disk)
      disk.fault = () => {
        throw new Error("no disk");
      };
    expect(await send(A, [record(A)])).toMatchObject([{ ok: false }]);
  });

  test("waits a second for a queue that hangs", async () => {
    const hung = queuedTrail(
      () => new Promise(() => undefined),
      async () => [{ ok: false, reason: "away" }],
    );
    const began = performance.now();
    expect(await hung(A, [record(A)])).toEqual([{ ok: false, reason: "away" }]);
    expect(performance.now() - began).toBeLessThan(1_500);
  });
});

test("what leaves a ledger goes in messages of 100 KB, and straight to the record where the queue fails", async () => {
  const direct: OutboxItem[] = [];
  const big = (seq: number): OutboxItem => ({
    seq,
    kind: "outcome",
    record: record(A, { data: { plan: "x".repeat(15_000) } }),
  });
  const sink = makeQueuedSink(
    async (message) => {
      if (queue.held.size === 2) throw new Error("full");
      await queue.send(message);
    },
    {
      deliver: async (items) => {
        direct.push(...items);
        return items.slice(1).map(({ seq }) => seq);
      },
    },
  );
  const items = Array.from({ length: 15 }, (_, n) => big(n + 40));
  expect(await sink.deliver(items)).toEqual(
    items.map(({ seq }) => seq).filter((seq) => seq !== 52),
  );
  expect([...queue.held.values()].every((body) => JSON.stringify(body).length < 101_000)).toBe(
    true,
  );
  expect(direct.map(({ seq }) => seq)).toEqual([52, 53, 54]);
});

describe("the consumer", () => {
  test("brings each record to its organization's log and acknowledges what is durable", async () => {
    const [a, b] = [record(A), record(B)];
    await queue.send({ orgId: A, records: [a] });
    await queue.send({ orgId: B, records: [b] });
    fault = (what) => {
      if (what === `log ${B}`) throw new Error("away");
    };
    await consumeTrail(all(), consumer);
    expect(inLog(A)).toEqual([a.eventId]);
    expect([...queue.held.keys()]).toEqual(["m2"]);
    fault = () => undefined;
    await consumeTrail(all(), consumer);
    expect(inLog(B)).toEqual([b.eventId]);
    expect(queue.held.size).toBe(0);
  });

  test("one bad record among 64 is set aside with an alert; 63 are recorded and the message is done", async () => {
    const records = Array.from({ length: 64 }, (_, n) =>
      record(A, n === 9 ? { prompt: "content" } : {}),
    );
    await queue.send({ orgId: A, records });
    const set = `x/${A}/quarantine/${records[9]?.eventId}.json`;
    fault = (what) => {
      if (what === "archive") throw new Error("away");
    };
    await consumeTrail(all(), consumer);
    expect(queue.held.size).toBe(1);
    fault = () => undefined;
    await consumeTrail(all(), consumer);
    expect(queue.held.size).toBe(0);
    expect(inLog(A)).toHaveLength(63);
    expect([...archive.keys()]).toEqual([set]);
    expect(lines.at(-1)).toBe(`set aside from the trail ${set}`);
    expect(lines.join(" ")).not.toContain("content");
  });

  test("hands on what ledgers sent, whatever its sequences, and answers each message by its own part", async () => {
    await queue.send({ items: [outcome(A, 1), outcome(A, 2)] });
    await queue.send({ items: [outcome(B, 1)] });
    consumer.sink = {
      deliver: async (items) => {
        expect(new Set(items.map(({ seq }) => seq)).size).toBe(3);
        return items.slice(0, 2).map(({ seq }) => seq);
      },
    };
    await consumeTrail(all(), consumer);
    expect(queue.acked).toEqual(["m1"]);
  });

  test.each<[string, Json]>([
    ["text", "hello"],
    ["an unknown shape", { other: 1 }],
    ["an organization that can not be", { orgId: "../x", records: [] }],
    ["items of no organization", { items: [{ seq: 1, kind: "usage" }] }],
  ])("keeps %s for an operator and holds nobody up", async (_, body) => {
    const good = record(A);
    await queue.send(body);
    await queue.send({ orgId: A, records: [good] });
    await consumeTrail(all(), consumer);
    expect(queue.held.size).toBe(0);
    expect(inLog(A)).toEqual([good.eventId]);
    expect([...archive]).toEqual([["dead/m1.json", JSON.stringify(body)]]);
  });

  test("dead letters are kept beside their organization, and stay until they are", async () => {
    await queue.send({ orgId: A, records: [record(A)] });
    fault = () => {
      throw new Error("away");
    };
    await consumeDeadTrail(all(), consumer);
    expect(queue.held.size).toBe(1);
    fault = () => undefined;
    await consumeDeadTrail(all(), consumer);
    expect(queue.held.size).toBe(0);
    expect([...archive.keys()]).toEqual([`x/${A}/dead/m1.json`]);
    expect(lines.at(-1)).toContain("trail message set aside");
  });

  test("however messages fail, come twice and out of order, each record is in its log exactly once", async () => {
    const step = fc.record({
      pick: fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 6 }),
      fail: fc.constantFrom("", "", `log ${A}`, "archive", "disk", "answer lost"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(A, B), fc.integer({ min: 1, max: 5 })), {
          minLength: 1,
          maxLength: 10,
        }),
        fc.array(step, { maxLength: 20 }),
        async (groups, steps) => {
          queue = new Queue();
          logs = new Map();
          const sent: AuditRecord[] = [];

          for (const [orgId, count] of groups) {
            const records = Array.from({ length: count }, () => record(orgId));
            sent.push(...records);
            await queue.send({ orgId, records });
          }

          const run = async (ids: string[], fail: string) => {
            fault = (what) => {
              if (what === fail) throw new Error(fail);
            };
            for (const disk of disks.values())
              disk.fault = (at) => {
                if (fail === "disk" && at === 2) throw new Error(fail);
              };
            // A message whose acknowledgement is lost comes again, though it was written.
            const messages = ids.map((id) => ({
              ...queue.delivery(id),
              ...(fail === "answer lost" && { ack: () => undefined }),
            }));
            await consumeTrail(messages, consumer);
          };
          for (const { pick, fail } of steps) {
            const ids = pick.map((n) => [...queue.held.keys()][n]).filter((id) => id !== undefined);
            await run(ids, fail);
          }
          await run([...queue.held.keys()].toReversed(), "");
          expect(queue.held.size).toBe(0);
          for (const orgId of [A, B]) {
            const wanted = sent.filter((each) => each.orgId === orgId).map((each) => each.eventId);
            expect(inLog(orgId).toSorted()).toEqual(wanted.toSorted());
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
