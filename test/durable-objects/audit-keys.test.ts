import { describe, expect, test } from "vitest";
import { HEAD } from "../../worker/core/sealed-log/layout.ts";
import {
  readVerifierKey,
  signerOf,
  signNote,
  verifierKey,
} from "../../worker/core/sealed-log/note.ts";
import { segmentLines } from "../../worker/core/sealed-log/segment.ts";
import { verifyLog } from "../../worker/core/sealed-log/verify.ts";
import { LogWorld, ORIGIN } from "../support/sealed-log.ts";

const DAY_MS = 86_400_000;

describe("the signing key", () => {
  const other = new Uint8Array(32).fill(4);

  test("is replaced by one that the old one vouches for, and retired a day later", async () => {
    const world = new LogWorld();
    await world.grow([5]);
    world.seeds.set(2, other);
    await world.append([world.record()]);
    await world.grow([5, 300]);
    world.now += DAY_MS + 1;
    await world.grow([5, 5]);
    world.seeds.delete(1);
    await world.grow([5]);
    const report = await verifyLog(world.archive);
    expect(report.faults).toEqual([]);
    const head = new TextDecoder().decode(world.archive.objects.get(HEAD));
    expect(head.match(/^— /gm)).toHaveLength(1);
    const first = await signerOf("", new Uint8Array(32).fill(3));
    const trusted = readVerifierKey(verifierKey({ ...first, name: report.origin ?? "" }));
    expect((await verifyLog(world.archive, { trusted: trusted ? [trusted] : [] })).faults).toEqual(
      [],
    );
  });

  test("that took the place of another is enough to know the log by, and the other one's word counts no more", async () => {
    const keyOf = async (seed: Uint8Array) => signerOf(ORIGIN, seed);
    const [old, trusted] = [await keyOf(new Uint8Array(32).fill(3)), [await keyOf(other)]];
    const world = new LogWorld();
    await world.grow([5]);
    world.seeds.set(2, other);
    await world.append([world.record()]);
    await world.grow([5]);
    // Whoever has stolen the old key writes the log on, and has the new one retired in it.
    const stolen = world.copy();
    stolen.seeds.delete(2);
    stolen.load();
    await stolen.grow([3]);
    expect((await verifyLog(stolen.archive)).faults).toEqual([]);
    expect((await verifyLog(stolen.archive, { trusted })).faults).not.toEqual([]);

    world.now += DAY_MS + 1;
    await world.grow([5, 5]);
    const report = await verifyLog(world.archive, { trusted });
    expect(report.faults).toEqual([]);
    expect(report.limits.join()).toContain("has signed from record 13 on");
    expect(report.keys).toMatchObject([
      { trustedBy: "you", retired: false },
      { trustedBy: "the log", retired: true },
    ]);
    const strange = new LogWorld();
    strange.seeds = new Map([[1, new Uint8Array(32).fill(9)]]);
    await strange.grow([5]);
    expect((await verifyLog(strange.archive, { trusted })).faults).toEqual([
      { object: HEAD, says: "is not signed by your key, nor is any before it" },
    ]);
    // The checkpoint that covers its end is not the old key's any more.
    const ends = [...world.archive.objects].filter(([name]) => name.includes("/segments/"));
    for (const [name, bytes] of ends) {
      if (!(await segmentLines(bytes)).join("").includes("audit.key_retired")) continue;
      const sealed = `audit/checkpoints/${/-(\d+)/.exec(name)?.[1]}`;
      const text = new TextDecoder().decode(world.archive.objects.get(sealed));
      const forged = await signNote(text.slice(0, text.indexOf("\n\n") + 1), [old]);
      const copy = world.archive.copy();
      copy.objects.set(sealed, new TextEncoder().encode(forged));
      expect((await verifyLog(copy)).faults).toContainEqual(
        expect.objectContaining({ object: sealed }),
      );
      return;
    }
    throw new Error("nothing was retired");
  });

  test("that is another one under a version that the log knows seals nothing, until it is put back", async () => {
    const world = new LogWorld();
    await world.grow([5]);
    const right = world.seeds;
    world.seeds = new Map([[1, other]]);
    expect(await world.append([world.record()])).toEqual([{ ok: true }]);
    await expect(world.sealer.run()).rejects.toThrow(
      /Version 1 of AUDIT_SIGNING_KEY is not the key/,
    );
    world.seeds = new Map([...right, [2, other]]);
    await world.grow([5]);
    world.now += DAY_MS + 1;
    await world.grow([5]);
    // Back to the version that was retired.
    world.seeds = right;
    await world.append([world.record()]);
    await expect(world.sealer.run()).rejects.toThrow(/was retired in this log/);
    world.seeds = new Map([[2, other]]);
    await world.sealer.run();
    expect((await verifyLog(world.archive)).faults).toEqual([]);
  });

  test("is vouched for even where its announcement is sealed days later", async () => {
    const world = new LogWorld();
    await world.grow([5]);
    world.seeds.set(2, other);
    await world.append([world.record()]);
    // The alarm seals what came before the announcement, and then the archive is away for days.
    await world.sealer.batch();
    world.now += 3 * DAY_MS;
    await world.grow([5]);
    world.now += DAY_MS;
    await world.grow([5]);
    const report = await verifyLog(world.archive);
    expect(report.faults).toEqual([]);
    expect(report.keys).toMatchObject([{ retired: true }, { retired: false }]);
  });

  test("that nobody vouched for is found", async () => {
    const world = new LogWorld();
    await world.grow([5]);
    world.seeds = new Map([[2, other]]);
    await world.grow([5]);
    const { faults } = await verifyLog(world.archive);
    expect(faults).toContainEqual({
      object: "audit/checkpoints/11",
      says: "is not signed by a key that the log has announced",
    });
  });
});
