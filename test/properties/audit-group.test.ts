import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { AuditLogMachine } from "../../durable-objects/audit-log-machine.ts";
import { AuditLogSqlite } from "../../durable-objects/audit-log-sqlite.ts";
import type { AppendResult, AuditRecord } from "../../worker/core/audit.ts";
import { timeOrderedId } from "../../worker/core/ids.ts";
import { newIsolate } from "../../worker/deps.ts";
import { groupedAudit, MAX_GROUP, MAX_GROUP_BYTES } from "../../worker/store/audit-group.ts";
import type { TrailSend } from "../../worker/store/audit-group.ts";
import { Contexts } from "../support/contexts.ts";
import type { Context } from "../support/contexts.ts";
import { ObjectSqlite } from "../support/object-sqlite.ts";

const ORG = "gAAAAAAAAAAAA";

/** What becomes of one send, and after how long. `lost` was written though the sender never hears of it. */
interface Fate {
  kind: "ok" | "thrown" | "lost" | "hangs" | "refuses to say";
  ms: number;
}

interface Sent {
  records: AuditRecord[];
  at: number;
}

/** One isolate, its requests and the log they write to. */
class World {
  readonly contexts = new Contexts();
  readonly isolate = newIsolate();
  readonly sent: Sent[] = [];
  /** Most sends that were under way at one time. */
  most = 0;
  #flying = 0;
  readonly #log = new AuditLogMachine(
    ORG,
    new AuditLogSqlite(new ObjectSqlite().storage),
    { set: () => Promise.resolve() },
    () => Promise.resolve(),
    () => this.contexts.now,
  );
  readonly #fates: Fate[];

  constructor(fates: Fate[] = []) {
    this.#fates = fates;
  }

  record(data: AuditRecord["data"] = {}, extra: object = {}): AuditRecord {
    const at = this.contexts.now;
    const eventId = `evt_${timeOrderedId(at)}`;
    return { eventId, type: "request.blocked", at, orgId: ORG, actor: "key:1", data, ...extra };
  }

  /** A request that records something; what it hears, once it does. */
  request(context: Context, records: AuditRecord[]): Heard {
    const began = this.contexts.now;
    const heard: Heard = { context, records, results: null, took: 0 };
    const port = groupedAudit({
      isolate: this.isolate,
      send: this.#sendOf(context),
      waitUntil: () => undefined,
      now: () => this.contexts.now,
      after: (ms) => this.contexts.after(ms, context),
    });
    void port.append(records).then((results) => {
      heard.results = results;
      heard.took = this.contexts.now - began;
    });
    return heard;
  }

  logged(): string[] {
    return this.#log.list({ limit: 1_000 }).found.map(({ eventId }) => eventId);
  }

  #sendOf(context: Context): TrailSend {
    return (_, records) => {
      // Nothing goes on in a context that was cut.
      if (!context.alive) return new Promise(() => undefined);
      const { kind, ms } = this.#fates[this.sent.length] ?? { kind: "ok", ms: 10 };
      this.sent.push({ records, at: this.contexts.now });
      this.most = Math.max(this.most, ++this.#flying);
      const write = () => this.#log.append(records);
      // What is on its way to the log arrives, whatever becomes of the request that sent it.
      const world = { alive: true };
      const written = kind === "ok" || kind === "lost";
      const done = this.contexts.later(ms, world, async (): Promise<AppendResult[]> => {
        this.#flying--;
        if (written) return write();
        return records.map(() => ({ ok: false, reason: "no answer" }));
      });
      return new Promise((resolve, reject) => {
        void done.then((results) => {
          if (!context.alive || kind === "hangs" || kind === "lost") return;
          if (kind === "thrown") reject(new Error("the log is away"));
          else resolve(results);
        });
      });
    };
  }
}

interface Heard {
  context: Context;
  records: AuditRecord[];
  results: AppendResult[] | null;
  took: number;
}

const fate = fc.record<Fate>({
  kind: fc.constantFrom("ok", "ok", "ok", "thrown", "lost", "hangs", "refuses to say"),
  ms: fc.constantFrom(0, 5, 80, 200, 260, 1_500, 2_500),
});
const call = fc.record({
  at: fc.integer({ min: 0, max: 600 }),
  records: fc.integer({ min: 1, max: 3 }),
  bad: fc.constantFrom(false, false, false, true),
  cutAt: fc.option(fc.integer({ min: 0, max: 700 }), { freq: 4 }),
});

test("whatever fails, hangs or is cut: what was acknowledged is in the log exactly once, and all are answered", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fate, { maxLength: 20 }),
      fc.array(call, { minLength: 1, maxLength: 24 }),
      async (fates, calls) => {
        const world = new World(fates);
        const heard: Heard[] = [];
        const always = { alive: true };
        for (const { at, records, bad, cutAt } of calls) {
          world.contexts.in(at, always, () => {
            const context = { alive: true };
            const extra = bad ? { prompt: "content" } : {};
            const made = Array.from({ length: records }, (_, n) =>
              world.record({}, n === 0 ? extra : {}),
            );
            heard.push(world.request(context, made));
            if (cutAt !== null)
              world.contexts.in(cutAt, always, () => {
                context.alive = false;
              });
          });
        }
        await world.contexts.run();
        const logged = world.logged();
        expect(new Set(logged).size).toBe(logged.length);
        for (const { context, records, results, took } of heard) {
          if (context.alive) expect(took).toBeLessThanOrEqual(8_500);
          if (context.alive) expect(results).not.toBeNull();
          results?.forEach((result, n) => {
            const record = records[n];
            if (result.ok) expect(logged).toContain(record?.eventId);
            const refused = !result.ok && result.refused === true;
            expect(refused).toBe(record !== undefined && "prompt" in record);
          });
        }
      },
    ),
    { numRuns: 300 },
  );
});

describe("groups", () => {
  let world: World;
  const alive = { alive: true };
  beforeEach(() => {
    world = new World();
  });

  test("one append is in flight while others gather and go with the next", async () => {
    const heard: Heard[] = [];
    for (let n = 0; n < 40; n++) {
      world.contexts.in(n, alive, () => heard.push(world.request(alive, [world.record()])));
    }
    await world.contexts.run();
    expect(heard.every(({ results }) => results?.[0]?.ok)).toBe(true);
    expect(world.most).toBe(1);
    expect(world.sent.map(({ records }) => records.length)).toEqual([1, 10, 10, 10, 9]);
  });

  test("no group is larger than 128 records or 100 KB", async () => {
    world.request(alive, [world.record()]);
    world.request(
      alive,
      Array.from({ length: 300 }, () => world.record()),
    );
    world.request(
      alive,
      Array.from({ length: 30 }, () => world.record({ plan: "x".repeat(12_000) })),
    );
    await world.contexts.run();
    const sizes = world.sent.map(({ records }) => records.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_GROUP);
    expect(world.sent.every((each) => bytes(each.records) <= MAX_GROUP_BYTES)).toBe(true);
    expect(world.logged()).toHaveLength(331);
  });

  test("one bad record among 64 is refused alone; 63 are recorded", async () => {
    const heard = Array.from({ length: 64 }, (_, n) =>
      world.request(alive, [world.record({}, n === 40 ? { prompt: "content" } : {})]),
    );
    await world.contexts.run();
    expect(heard.filter(({ results }) => results?.[0]?.ok)).toHaveLength(63);
    expect(world.logged()).toHaveLength(63);
  });

  test("a record over 16 KB is cut, names what it lost, and is recorded", async () => {
    const dropped = Array.from({ length: 80 }, () => ({
      deployment: "d",
      reason: "x".repeat(220),
    }));
    const candidates = Array.from({ length: 30 }, () => ({ deployment: "y".repeat(250) }));
    const heard = world.request(alive, [world.record({ model: "m", dropped, candidates })]);
    await world.contexts.run();
    expect(heard.results).toEqual([{ ok: true }]);
    const [record] = world.sent[0]?.records ?? [];
    expect(record?.data).toEqual({ model: "m", candidates, cut: ["dropped"] });
  });

  test.each([
    ["before its group leaves", 5],
    ["while its group is in flight", 15],
  ])("when the leader is cut %s its followers append for themselves", async (_, cutAt) => {
    const { contexts } = world;
    const leader = { alive: true };
    const followers: Heard[] = [];
    world.request(alive, [world.record()]);
    contexts.in(1, alive, () => world.request(leader, [world.record()]));
    for (let n = 0; n < 8; n++) {
      contexts.in(2, alive, () => followers.push(world.request(alive, [world.record()])));
    }
    contexts.in(cutAt, alive, () => {
      leader.alive = false;
    });
    await contexts.run();
    for (const { results, took } of followers) {
      expect(results).toEqual([{ ok: true }]);
      expect(took).toBe(260);
    }
    const logged = world.logged();
    expect(new Set(logged).size).toBe(logged.length);
    expect(logged).toHaveLength(cutAt === 5 ? 9 : 10);
    const later = world.request(alive, [world.record()]);
    await contexts.run();
    expect(later.took).toBe(10);
  });

  test("a group whose leader died is joined by nobody who comes after its time", async () => {
    world = new World([{ kind: "hangs", ms: 0 }]);
    const { contexts } = world;
    const leader = { alive: true };
    const late: Heard[] = [];
    world.request(alive, [world.record()]);
    contexts.in(1, alive, () => world.request(leader, [world.record()]));
    contexts.in(5, alive, () => {
      leader.alive = false;
    });
    contexts.in(300, alive, () => late.push(world.request(alive, [world.record()])));
    await contexts.run();
    expect(late).toMatchObject([{ results: [{ ok: true }], took: 10 }]);
  });

  test("a group that hangs is not inherited by the next, and is void after 2 s", async () => {
    world = new World([{ kind: "hangs", ms: 0 }]);
    const first = world.request(alive, [world.record()]);
    const late: Heard[] = [];
    for (const at of [1, 1_000]) {
      world.contexts.in(at, alive, () => late.push(world.request(alive, [world.record()])));
    }
    await world.contexts.run();
    expect(late.map(({ took }) => took)).toEqual([160, 10]);
    expect(first).toMatchObject({ results: [{ ok: true }], took: 2_010 });
  });

  test("a group that fails is sent once more and then record by record", async () => {
    const failed = (n: number): Fate[] =>
      Array.from({ length: n }, () => ({ kind: "thrown", ms: 1 }));
    world = new World(failed(1));
    const three = () => world.request(alive, [world.record(), world.record(), world.record()]);
    const once = three();
    await world.contexts.run();
    expect(world.sent.map(({ records }) => records.length)).toEqual([3, 3]);
    expect(once.results?.every((result) => result.ok)).toBe(true);

    world = new World(failed(2));
    const twice = three();
    await world.contexts.run();
    expect(world.sent.map(({ records }) => records.length)).toEqual([3, 3, 1, 1, 1]);
    expect(twice.results?.every((result) => result.ok)).toBe(true);

    world = new World(failed(99));
    const never = three();
    await world.contexts.run();
    const unknown = { ok: false, reason: "the log gave no answer" };
    expect(never.results).toEqual([unknown, unknown, unknown]);
  });
});

function bytes(records: AuditRecord[]): number {
  return new TextEncoder().encode(JSON.stringify(records)).length - records.length - 1;
}
