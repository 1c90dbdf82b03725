import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { HEAD } from "../../worker/core/sealed-log/layout.ts";
import { segmentLines } from "../../worker/core/sealed-log/segment.ts";
import { verifyLog } from "../../worker/core/sealed-log/verify.ts";
import type { AuditRecord } from "../../worker/core/audit.ts";
import { LogWorld } from "../support/sealed-log.ts";

/** Event ids in the order in which segments hold them, without those of the log itself. */
async function sealedIds(world: LogWorld): Promise<string[]> {
  const ids: [number, string][] = [];
  for (const [name, bytes] of world.archive.objects) {
    const [, first] = /segments\/(\d+)-/.exec(name) ?? [];
    if (first === undefined) continue;
    for (const [at, line] of (await segmentLines(bytes)).entries()) {
      const record = JSON.parse(line) as { event_id: string; event_type: string };
      if (!record.event_type.startsWith("audit.")) ids.push([Number(first) + at, record.event_id]);
    }
  }
  return ids.toSorted(([a], [b]) => a - b).map(([, id]) => id);
}

test("a log of many seals is rebuilt from its objects alone", async () => {
  const world = new LogWorld();
  const records = await world.grow([3, 1, 250, 300, 1, 700]);
  const report = await verifyLog(world.archive);
  expect(report.faults).toEqual([]);
  // One more: the record that announces the key.
  expect(report).toMatchObject({ size: 1256, records: 1256, checkpoints: 9 });
  expect(await sealedIds(world)).toEqual(records.map(({ eventId }) => eventId));
});

/** Puts this archive's objects in the place of a log's own, whose memory dies. */
function fill(world: LogWorld, { objects }: LogWorld["archive"]): void {
  world.archive.step = () => undefined;
  world.archive.objects.clear();
  for (const [name, bytes] of objects) world.archive.objects.set(name, bytes);
  world.load();
}

test("a log whose disk was put back to an earlier day signs no second history into its archive", async () => {
  const world = new LogWorld();
  await world.grow([5]);
  const [before, staged] = [world.copy(), world.copy()];
  // The copy was taken between a commit and its writes.
  await staged.append([staged.record()]);
  staged.archive.step = () => {
    throw new Error("away");
  };
  await expect(staged.sealer.run()).rejects.toThrow("away");
  const own = before.archive.copy();
  await world.grow([5, 300]);
  for (const old of [before, staged]) {
    fill(old, world.archive);
    expect(await old.append([old.record()])).toEqual([{ ok: true }]);
    await expect(old.sealer.run()).rejects.toThrow(/head is of 311 records, .* state of [67]:/);
    expect(old.archive.objects).toEqual(world.archive.objects);
  }
  // With the archive of its own day the log goes on, and so it does where only the head was lost.
  fill(before, own);
  before.archive.objects.delete(HEAD);
  await before.grow([2]);
  expect((await verifyLog(before.archive)).faults).toEqual([]);
  // A head that anybody may have written is replaced.
  const [head = new Uint8Array()] = [before.archive.objects.get(HEAD)];
  const forged = new TextDecoder().decode(head).replace("\n9\n", "\n9000\n");
  before.archive.objects.set(HEAD, new TextEncoder().encode(forged));
  before.load();
  await before.grow([1]);
  expect((await verifyLog(before.archive)).faults).toEqual([]);
  // Another history of the same length.
  const other = new LogWorld();
  await other.grow([9]);
  fill(before, other.archive);
  await before.append([before.record()]);
  await expect(before.sealer.run()).rejects.toThrow(/head is of 10 records, .* state of 10:/);
});

test("the alarm seals what came in, and rests when nothing is left", async () => {
  const world = new LogWorld();
  await world.append([world.record(), world.record()]);
  expect(world.archive.objects.size).toBe(0);
  await world.runUntil(world.now + 5_000);
  expect((await verifyLog(world.archive)).size).toBe(3);
  const objects = world.archive.objects.size;
  await world.runUntil(world.now + 3_600_000);
  expect(world.archive.objects.size).toBe(objects);
});

describe("killed or failing at any step", () => {
  interface Faults {
    disk: string;
    count: number;
  }

  /** Whence a log begins: none of it is there yet, or two more records fill a tile. */
  type Beginning = "new" | "before a full tile";
  const BEGINNINGS: readonly Beginning[] = ["new", "before a full tile"];
  /** How many records of the second one are there before. */
  const GROWN = 253;
  let grown: LogWorld;

  beforeAll(async () => {
    grown = new LogWorld();
    await grown.grow([GROWN]);
  });

  /** Every step by name that a log goes through from a record to its sealed head. */
  async function steps(from: Beginning): Promise<string[]> {
    const names: string[] = [];
    await story(from, (step) => void names.push(step));
    return names;
  }

  /** Two groups, the second with a repetition, through append and alarm; `fault` is told of every step. */
  async function story(from: Beginning, fault: (step: string) => void): Promise<LogWorld> {
    const world = from === "new" ? new LogWorld() : grown.copy();
    const faults: Faults = { disk: "idle", count: 0 };
    const transaction = world.disk.transactionSync.bind(world.disk);
    world.disk.transactionSync = (work) => {
      faults.count += 1;
      faults.disk = `transaction ${faults.count}`;
      const result = transaction(work);
      fault(`after ${faults.disk}`);
      return result;
    };
    world.disk.fault = (step) => fault(`${faults.disk}, statement ${step}`);
    world.archive.step = fault;
    world.alarmFault = fault;
    world.signFault = fault;
    const first = Array.from({ length: 4 }, (_, n) =>
      world.record("request.blocked", { model: `m${n}` }),
    );
    const second = Array.from({ length: 3 }, () => world.record("request.failed"));
    const sent: [AuditRecord[], AuditRecord[]] = [first, [...second, ...first.slice(0, 2)]];
    for (const group of sent) {
      await append(world, group);
      await ring(world);
    }
    return world;
  }

  /** Sends until it is acknowledged; what a crash takes is the memory. */
  async function append(world: LogWorld, group: AuditRecord[]): Promise<void> {
    for (let n = 0; n < 5; n++) {
      const results = await world.append(group).catch(() => []);
      if (results.length > 0 && results.every((result) => result.ok)) return;
      world.load();
    }
    throw new Error("never acknowledged");
  }

  /** Rings until the log rests, as the runtime would; a fault costs the memory. */
  async function ring(world: LogWorld): Promise<void> {
    for (let n = 0; n < 8; n++) {
      const { records, sealed, staged } = world.log.extent();
      if (records === sealed && !staged) return;
      if (world.alarmAt === null) throw new Error("no alarm is set though there is work");
      world.now = Math.max(world.now, world.alarmAt);
      world.alarmAt = null;
      await world.machine.onAlarm();
      // An alarm that threw is repeated by the runtime, and the constructor of a new memory sets one.
      world.load();
      world.alarmAt ??= world.now + 1_000;
    }
    throw new Error("never sealed");
  }

  async function soundAfter(from: Beginning, world: LogWorld, what: string): Promise<void> {
    const report = await verifyLog(world.archive);
    expect(report.faults, what).toEqual([]);
    const ids = await sealedIds(world);
    expect(ids, what).toHaveLength((from === "new" ? 0 : GROWN) + 7);
    expect(new Set(ids).size, what).toBe(ids.length);
    expect(world.log.extent(), what).toMatchObject({ staged: false });
  }

  test.each(BEGINNINGS)(
    "nothing is lost or doubled, and what is sealed verifies: %s",
    async (from) => {
      const named = await steps(from);
      // What the steps are called, without the object or the transaction that they are about.
      expect(new Set(named.map((name) => name.split(/ audit| \d/)[0]))).toEqual(
        new Set([
          "before alarm",
          "after alarm",
          "transaction",
          "after transaction",
          "before sign",
          "before create",
          "after create",
          "before replace",
          "after replace",
        ]),
      );
      const full = named.includes("before create audit/tile/0/000");
      expect(full).toBe(from !== "new");
      for (let at = 0; at < named.length; at++) {
        let n = 0;
        const world = await story(from, (step) => {
          if (n++ === at) throw new Error(`killed ${step}`);
        });
        await soundAfter(from, world, named[at] ?? "");
      }
    },
    120_000,
  );

  test("twice in one life, too", async () => {
    const counts = {
      new: (await steps("new")).length,
      grown: (await steps(BEGINNINGS[1] ?? "new")).length,
    };
    const two = fc.constantFrom(...BEGINNINGS).chain((from) => {
      const kill = fc.nat((from === "new" ? counts.new : counts.grown) - 1);
      return fc.record({ from: fc.constant(from), kills: fc.tuple(kill, kill) });
    });
    const runs = Number(process.env["ROUTERO_AUDIT_RUNS"] ?? 40);
    await fc.assert(
      fc.asyncProperty(two, async ({ from, kills }) => {
        let n = 0;
        const world = await story(from, () => {
          if (kills.includes(n++)) throw new Error("killed");
        });
        await soundAfter(from, world, `${from}: ${kills.join(", ")}`);
      }),
      { numRuns: runs },
    );
  }, 120_000);
});

test("a backlog is sealed batch by batch, an alarm each, and what comes meanwhile goes in between", async () => {
  const world = new LogWorld();
  const group = () => world.append(Array.from({ length: 300 }, () => world.record()));
  for (let n = 0; n < 5; n++) await group();
  const sizes: number[] = [];
  const begin = world.now + 5_000;
  while (world.alarmAt !== null && world.alarmAt <= begin) {
    world.now = world.alarmAt;
    world.alarmAt = null;
    await world.machine.onAlarm();
    sizes.push(world.log.extent().sealed);
    if (sizes.length === 1) await group();
  }
  // Full batches end where a tile does; the last one is what is left, and the record that announces the key is alone.
  expect(sizes).toEqual([1024, 1500, 1501, 1792, 1801]);
  expect(world.alarmAt).toBeGreaterThan(begin + 10_000);
  const names = [...world.archive.objects.keys()];
  expect(names.filter((name) => /tile\/0\/\d+\.p/.test(name))).toEqual(
    [1500, 1501, 1801].map(
      (size) => `audit/tile/0/${String(Math.floor(size / 256)).padStart(3, "0")}.p/${size % 256}`,
    ),
  );
  expect((await verifyLog(world.archive)).faults).toEqual([]);
});

test("records are taken in while a batch is hashed, and stand behind it", async () => {
  const world = new LogWorld();
  const group = Array.from({ length: 300 }, () => world.record());
  await world.append(group);
  const late: AuditRecord[] = [];
  world.pause = async () => {
    late.push(world.record());
    expect(await world.append(late.slice(-1))).toEqual([{ ok: true }]);
  };
  await world.sealer.batch();
  expect(late.length).toBeGreaterThan(2);
  expect(world.log.extent().sealed).toBe(256);
  await world.sealer.run();
  const ids = [...group, ...late].map(({ eventId }) => eventId);
  expect(await sealedIds(world)).toEqual(expect.arrayContaining(ids));
  expect((await verifyLog(world.archive)).faults).toEqual([]);
});

test("whoever asks for a seal gets one that covers what it appended, whatever is under way", async () => {
  const world = new LogWorld();
  await world.append([world.record()]);
  const first = world.sealer.run();
  const late = world.record();
  await world.append([late]);
  await Promise.all([first, world.sealer.run()]);
  expect(await sealedIds(world)).toContain(late.eventId);
});

test("something else in an object's place stops the sealing, stays as it is, and holds no record back", async () => {
  const world = new LogWorld();
  const name = "audit/segments/1-2.jsonl.gz";
  world.archive.objects.set(name, Uint8Array.of(1));
  await world.append([world.record(), world.record()]);
  await expect(world.sealer.run()).rejects.toMatchObject({ name: "ArchiveDiffers", object: name });
  expect(world.archive.objects.get(name)).toEqual(Uint8Array.of(1));
  expect(world.archive.objects.has(HEAD)).toBe(false);
  expect(await world.append([world.record()])).toEqual([{ ok: true }]);
  world.archive.objects.delete(name);
  await world.sealer.run();
  expect((await verifyLog(world.archive)).faults).toEqual([]);
});
