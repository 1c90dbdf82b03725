import { expect, test } from "vitest";
import { readCheckpoint } from "../../worker/core/sealed-log/checkpoint.ts";
import { proofFrom } from "../../worker/core/sealed-log/find.ts";
import { retain } from "../../durable-objects/audit-retention.ts";
import { HEAD, isBeyond } from "../../worker/core/sealed-log/layout.ts";
import { verifyLog } from "../../worker/core/sealed-log/verify.ts";
import { LogWorld } from "../support/sealed-log.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const segments = (world: LogWorld) =>
  [...world.archive.objects.keys()].filter((name) => name.includes("/segments/"));

async function aged(): Promise<{ world: LogWorld; old: string }> {
  const world = new LogWorld();
  world.retentionDays = 30;
  world.load();
  const [first] = await world.grow([300, 5]);
  const kept = world.record("request.blocked", { retention_days: 90 });
  await world.append([kept]);
  await world.sealer.run();
  await world.runUntil(world.now + 20 * DAY_MS);
  await world.grow([4]);
  return { world, old: first?.eventId ?? "" };
}

test("whoever reads the log while it grows and forgets has an hour to read what its head needs", async () => {
  const { world } = await aged();
  await world.runUntil(world.now + 10 * DAY_MS - 600_000);
  await world.grow([200]);
  // Read: the head alone, and then, while the log goes on, everything else.
  const head = world.archive.objects.get(HEAD) ?? new Uint8Array();
  const size = sizeOf(head);
  await world.grow([300]);
  for (const minutes of [20, 20]) {
    await world.runUntil(world.now + minutes * 60_000);
    world.load();
    await world.grow([1]);
    await world.runUntil(world.now + 10_000);
  }
  const read = published(world, size);
  read.objects.set(HEAD, head);
  expect((await verifyLog(read)).faults).toEqual([]);
  expect(world.log.list({ type: "audit.retention_applied" }, null, 10)).not.toEqual([]);
  await world.runUntil(world.now + 3 * HOUR_MS);
  const left = [...world.archive.objects.keys()].filter((name) =>
    /tile\/(0|entries)\/00[01]\.p/.test(name),
  );
  expect(left).toEqual([]);
  expect(segments(world)).not.toContain("audit/segments/1-256.jsonl.gz");
});

/** A copy as an export makes it: without what is not covered by the head yet. */
function published(world: LogWorld, size = sizeOf(world.archive.objects.get(HEAD))) {
  const copy = world.archive.copy();
  for (const name of copy.objects.keys()) if (isBeyond(name, size)) copy.objects.delete(name);
  return copy;
}

function sizeOf(head: Uint8Array | undefined): number {
  return readCheckpoint(new TextDecoder().decode(head))?.checkpoint.size ?? 0;
}

test("drops segments when all of their records may go, says so first, and the rest still verifies", async () => {
  const { world, old } = await aged();
  await world.runUntil(world.now + 12 * DAY_MS);
  expect(segments(world)).not.toContain("audit/segments/1-256.jsonl.gz");
  expect(world.log.list({ eventId: old }, null, 1)).toEqual([]);
  const report = await verifyLog(world.archive);
  expect(report).toMatchObject({ faults: [], expired: 305 });
  // A rule asked for 90 days.
  expect(report.records).toBe(report.size - 305);
  // Whoever kept the record can still prove it.
  expect(await proofFrom(world.archive, old)).toMatchObject({ sequence: 1 });
  await world.runUntil(world.now + 120 * DAY_MS);
  const later = await verifyLog(world.archive);
  expect(later.faults).toEqual([]);
  expect(later.expired).toBe(310);
});

test("a record that was dropped while its id is young is not taken again, and the id is forgotten later", async () => {
  const world = new LogWorld();
  world.retentionDays = 5;
  world.load();
  const [first] = await world.grow([300, 5]);
  if (first === undefined) throw new Error("nothing was logged");
  await world.runUntil(world.now + 10 * DAY_MS);
  const found = () => world.log.list({ eventId: first.eventId }, null, 1);
  const known = (): number => {
    const [row] = world.disk.sql.exec("SELECT count(*) AS n FROM seen").toArray();
    return Number((row as { n: number } | undefined)?.n);
  };
  expect(found()).toEqual([]);
  expect(known()).toBeGreaterThanOrEqual(305);
  expect(await world.machine.append([first])).toEqual([{ ok: true }]);
  expect(found()).toEqual([]);
  await world.runUntil(world.now + 30 * DAY_MS);
  expect(known()).toBeLessThan(305);
});

test("what is dropped without that is a fault", async () => {
  const { world } = await aged();
  world.archive.objects.delete("audit/segments/1-256.jsonl.gz");
  expect((await verifyLog(world.archive)).faults).toEqual([
    { object: "audit/segments/1-256.jsonl.gz", says: "is missing, and no retention is on record" },
  ]);
});

test("killed at any step it goes on, and at no moment is anything missing that it has not announced", async () => {
  let steps = 0;
  for (let at = 0; at === 0 || at < steps; at++) {
    const { world } = await aged();
    world.now += 12 * DAY_MS;
    let n = 0;
    const step = () => {
      if (n++ === at) throw new Error("killed");
    };
    world.archive.step = step;
    world.disk.fault = step;
    await world.machine.onAlarm();
    steps = Math.max(steps, n);
    expect((await verifyLog(published(world))).faults).toEqual([]);
    world.archive.step = world.disk.fault = () => undefined;
    world.load();
    await world.runUntil(world.now + 2 * DAY_MS);
    expect(await verifyLog(world.archive)).toMatchObject({ faults: [], expired: 305 });
    expect(segments(world)).not.toContain("audit/segments/1-256.jsonl.gz");
  }
  expect(steps).toBeGreaterThan(10);
});

test("a record whose text the object no longer keeps is read from its segment", async () => {
  const world = new LogWorld();
  const [first] = await world.grow([5]);
  await world.runUntil(world.now + 9 * DAY_MS);
  const query = { eventId: first?.eventId ?? "" };
  expect(world.log.list(query, null, 1)[0]?.body).toBeNull();
  expect((await world.port.list(query)).records[0]).toMatchObject({
    event_id: first?.eventId,
    model: "m0",
    sequence: 1,
  });
});

test("texts go from the object after a week, however many there are, but none that is not sealed", async () => {
  const world = new LogWorld();
  const many = Array.from({ length: 1_200 }, () => world.record());
  for (let from = 0; from < many.length; from += 100)
    await world.append(many.slice(from, from + 100));
  await world.sealer.run();
  const young = world.record();
  world.now += 8 * DAY_MS;
  await world.append([young]);
  const texts = () => {
    const found = world.log.list({ order: "asc" }, null, 2_000);
    return found.filter(({ body }) => body !== null).map(({ eventId }) => eventId);
  };
  expect(texts().length).toBeGreaterThan(1_200);
  await retain({
    storage: world.seals,
    archive: world.archive,
    now: () => world.now,
    pause: async () => {
      // Between two transactions the object takes calls: what was forgotten by then is read from the segments.
      const [first] = many;
      const { records } = await world.port.list({ eventId: first?.eventId ?? "" });
      expect(records[0]).toMatchObject({ event_type: "request.blocked", sequence: 1 });
    },
  });
  expect(texts()).toEqual([young.eventId]);
  await world.sealer.run();
  expect((await verifyLog(world.archive)).faults).toEqual([]);
});
