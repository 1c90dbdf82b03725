import fc from "fast-check";
import { expect, test } from "vitest";
import { OrgControlMachine } from "../../durable-objects/org-control-machine.ts";
import type { AuditRecord } from "../../worker/core/audit.ts";
import type { Change } from "../../worker/core/ports.ts";
import type { KeyRecord, OrgShared } from "../../worker/core/records.ts";

const EVENT: AuditRecord = {
  eventId: "evt_1",
  type: "key.updated",
  at: 0,
  orgId: "o",
  actor: "master",
  data: {},
};

const CHANGE: Change = { id: "c1", statements: [], touches: ["key:k"], events: [EVENT] };

const SHARED: OrgShared = {
  org: { id: "o", alias: "o", models: [], blocked: false, metadata: {} },
  deployments: [],
  credentials: [],
  blockedCustomers: [],
};

/** A key whose revision is the number of changes that the record saw. */
function keyAt(revision: number): KeyRecord {
  return {
    id: "k",
    handle: "sha256:k",
    name: "sk-…k",
    keyType: "default",
    models: [],
    aliases: {},
    allowedIps: [],
    blocked: false,
    revision,
    metadata: {},
  };
}

type Step = (name: string) => void;
const noFault: Step = () => undefined;

/** Disk, record and alarm that outlive a machine; `step` is told before and after each thing that happens to them. */
class World {
  step: Step = noFault;
  disk = {
    revision: 0,
    pending: null as string | null,
    log: [] as [number, string][],
    bundles: new Map<string, string>(),
    outbox: [] as { seq: number; record: AuditRecord }[],
  };
  /** Ids of the events in the organization's log, which knows what it has seen. */
  logged = new Set<string>();
  written: string[] = [];
  alarmAt: number | null = null;
  conflict: string | null = null;
  pause: () => Promise<unknown> = () => Promise.resolve();

  machine(): OrgControlMachine {
    const { disk } = this;
    return new OrgControlMachine(
      {
        load: () => ({
          revision: disk.revision,
          pending: disk.pending === null ? null : (JSON.parse(disk.pending) as Change),
        }),
        storeIntent: (change) => {
          this.step("before intent");
          if (disk.pending !== null) throw new Error("Two intents at once.");
          disk.pending = JSON.stringify(change);
          this.step("after intent");
        },
        dropIntent: () => {
          this.step("before drop");
          disk.pending = null;
          this.step("after drop");
        },
        commit: (touched, events) => {
          this.step("before commit");
          disk.pending = null;
          disk.revision++;
          disk.log.push(...touched.map((name): [number, string] => [disk.revision, name]));
          for (const record of events) disk.outbox.push({ seq: disk.outbox.length, record });
          this.step("after commit");
          return disk.revision;
        },
        outbox: (limit) => disk.outbox.slice(0, limit),
        delivered: (seqs) => {
          this.step("before forgetting");
          disk.outbox = disk.outbox.filter(({ seq }) => !seqs.includes(seq));
        },
        keepBundle: (hash, text) => void disk.bundles.set(hash, text),
        bundle: (hash) => disk.bundles.get(hash) ?? null,
        touchedSince: (revision) =>
          disk.log.filter(([at]) => at > revision).map(([, name]) => name),
      },
      {
        shared: async () => SHARED,
        bundle: async () => null,
        deliver: async (records) => {
          this.step("before delivery");
          for (const { eventId } of records) this.logged.add(eventId);
          this.step("after delivery");
          return records.map((_, at) => at);
        },
        key: async () => {
          const { length } = this.written;
          await this.pause();
          return { key: keyAt(length), team: null, user: null };
        },
        write: async (change) => {
          await this.pause();
          this.step("before write");
          if (this.written.includes(change.id)) return { kind: "applied" };
          if (this.conflict !== null) return { kind: "conflict", what: this.conflict };
          this.written.push(change.id);
          this.step("after write");
          await this.pause();
          return { kind: "applied" };
        },
      },
      {
        set: async (at) => {
          this.step("before alarm");
          this.alarmAt = at;
        },
        clear: async () => {
          this.step("before clear");
          this.alarmAt = null;
        },
      },
      () => 0,
    );
  }
}

/** Rings the alarm as long as one is due, as the platform does for an object. */
async function settle(world: World, machine: OrgControlMachine): Promise<void> {
  for (
    let rings = 0;
    world.alarmAt !== null && (world.disk.pending !== null || world.disk.outbox.length > 0);
    rings++
  ) {
    expect(rings).toBeLessThan(5);
    await machine.onAlarm();
  }
}

const STEPS = [
  "before alarm",
  "before intent",
  "before write",
  "after write",
  "before commit",
  "before delivery",
  "after delivery",
  "before forgetting",
  "before clear",
];

test.each(STEPS)(
  "a fault %s leaves the change applied exactly once or not begun",
  async (where) => {
    const world = new World();
    const machine = world.machine();
    await machine.open("k", -1);
    let faults = 1;
    world.step = (name) => {
      if (name === where && faults-- > 0) throw new Error("A fault.");
    };
    const answer = await machine.apply(CHANGE).catch((cause: unknown) => String(cause));
    if (where === "before alarm" || where === "before intent") {
      expect(world.disk.pending).toBeNull();
      expect(world.written).toEqual([]);
    }
    if (world.disk.pending !== null) expect(answer).toMatch(/UnknownOutcome/);
    await settle(world, machine);
    expect([...world.logged]).toEqual(world.written.length > 0 ? ["evt_1"] : []);
    expect(world.disk.outbox).toEqual([]);
    // The caller may send again what it had no answer to.
    expect(await machine.apply(CHANGE)).toMatchObject({ ok: true });
    expect(world.written).toEqual(["c1"]);
    const opened = await machine.open("k", -1);
    expect(opened.key?.revision).toBe(1);
    expect(machine.sync(0).touched).toContain("key:k");
  },
);

test.each([...STEPS, "after intent", "after commit"])(
  "a crash %s loses nothing that was begun and serves nothing stale after the reload",
  async (where) => {
    const world = new World();
    const first = world.machine();
    await first.open("k", -1);
    let dead = false;
    await new Promise<void>((crashed) => {
      world.step = (name) => {
        if (dead || name === where) {
          dead = true;
          crashed();
          throw new Error("The object is gone.");
        }
      };
      void first.apply(CHANGE).then(
        () => crashed(),
        () => crashed(),
      );
    });
    world.step = noFault;
    const second = world.machine();
    const before = await second.open("k", -1);
    expect(before.key?.revision).toBe(world.written.length);
    await settle(world, second);
    const began = world.written.length;
    expect(world.logged.size).toBe(began);
    expect(world.disk.outbox).toEqual([]);
    expect(world.disk.revision).toBe(began);
    expect(world.disk.pending).toBeNull();
    expect((await second.open("k", -1)).key?.revision).toBe(began);
    expect(await second.apply(CHANGE)).toMatchObject({ ok: true });
    expect(world.written).toEqual(["c1"]);
    expect((await second.open("k", -1)).key?.revision).toBe(1);
  },
);

test("a refused change is answered with what it hit, forgotten, and blocks nobody", async () => {
  const world = new World();
  const machine = world.machine();
  world.conflict = "teams.alias";
  expect(await machine.apply(CHANGE)).toEqual({ ok: false, conflict: "teams.alias" });
  expect(world.disk).toMatchObject({ pending: null, revision: 0 });
  world.conflict = null;
  expect(await machine.apply({ ...CHANGE, id: "c2" })).toEqual({ ok: true, revision: 1 });
});

test("while a change is unresolved no later one is begun, and its rows come from the record", async () => {
  const world = new World();
  const machine = world.machine();
  await machine.open("k", -1);
  world.step = (name) => {
    if (name === "after write") throw new Error("The answer was lost.");
  };
  await expect(machine.apply(CHANGE)).rejects.toThrow("not known");
  expect((await machine.open("k", -1)).key?.revision).toBe(1);
  // A second writer, unseen by this machine: were the row cached, the old one would be served.
  world.written.push("elsewhere");
  expect((await machine.open("k", -1)).key?.revision).toBe(2);
  world.step = (name) => {
    if (name === "before write") throw new Error("Still away.");
  };
  await expect(machine.apply({ ...CHANGE, id: "c2" })).rejects.toThrow("not known");
  expect(world.written).not.toContain("c2");
  world.step = noFault;
  expect(await machine.apply({ ...CHANGE, id: "c2" })).toEqual({ ok: true, revision: 2 });
});

test("no interleaving of reads, changes and lost answers serves a row older than its revision", async () => {
  const action = fc.constantFrom("open", "open", "apply", "alarm", "sync");
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(action, { minLength: 2, maxLength: 12 }),
      fc.infiniteStream(fc.nat(9)),
      async (scheduler, actions, luck) => {
        const world = new World();
        world.pause = () => scheduler.schedule(Promise.resolve());
        world.step = (name) => {
          const unlucky = luck.next().value === 0;
          if (unlucky && /write|before commit/.test(name)) throw new Error("A fault.");
        };
        const machine = world.machine();
        /** By revision: how many changes the record had when it was reached. */
        const floor = [0];
        const note = () => {
          for (let at = floor.length; at <= world.disk.revision; at++) floor[at] = at;
        };
        const run = async (what: string, at: number) => {
          if (what === "open") {
            const opened = await machine.open("k", -1);
            note();
            expect(opened.key?.revision).toBeGreaterThanOrEqual(floor[opened.revision] ?? 0);
          } else if (what === "apply") {
            const acknowledged = await machine.apply({ ...CHANGE, id: `c${at}` }).catch(() => null);
            if (acknowledged) expect(machine.sync(-1).revision).toBe(world.disk.revision);
          } else if (what === "alarm") {
            await machine.onAlarm();
          } else {
            expect(machine.sync(0).revision).toBe(world.disk.revision);
          }
        };
        const all = Promise.all(
          actions.map((what, at) =>
            scheduler.schedule(Promise.resolve()).then(() => run(what, at)),
          ),
        );
        await scheduler.waitFor(all);
        expect(new Set(world.written).size).toBe(world.written.length);
        world.step = noFault;
        world.pause = () => Promise.resolve();
        await settle(world, machine);
        expect(world.disk.revision).toBe(world.written.length);
        expect((await machine.open("k", -1)).key?.revision).toBe(world.written.length);
      },
    ),
    { numRuns: 300 },
  );
});
