import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { toBase64 } from "../../../worker/core/bytes.ts";
import { readCheckpoint } from "../../../worker/core/sealed-log/checkpoint.ts";
import type { Checkpoint } from "../../../worker/core/sealed-log/checkpoint.ts";
import { checkpointName, HEAD } from "../../../worker/core/sealed-log/layout.ts";
import { keyIdOf, signNote, signerOf } from "../../../worker/core/sealed-log/note.ts";
import { packSegment, segmentLines } from "../../../worker/core/sealed-log/segment.ts";
import { verifyLog } from "../../../worker/core/sealed-log/verify.ts";
import { cosign, witnessOf } from "../../support/witness.ts";
import { LogWorld, ORIGIN } from "../../support/sealed-log.ts";
import type { MemoryArchive } from "../../support/sealed-log.ts";

const RUNS = Number(process.env["ROUTERO_AUDIT_RUNS"] ?? 60);

let sound: MemoryArchive;
let names: string[];
let segments: string[];

beforeAll(async () => {
  const world = new LogWorld();
  await world.grow([5, 40, 1, 230, 20]);
  const hash = "0".repeat(64);
  await world.append([world.record("request.blocked", { policy_hash: hash })]);
  await world.grow([3]);
  await cosign(world.archive, 46, await witnessOf());
  sound = world.archive;
  names = [...sound.objects.keys()];
  segments = names.filter((name) => name.startsWith("audit/segments/"));
});

test("a log that nobody has touched is found sound", async () => {
  expect((await verifyLog(sound)).faults).toEqual([]);
});

function checkpointOf(text: string): Checkpoint {
  const read = readCheckpoint(text);
  if (read === null) throw new Error("no checkpoint");
  return read.checkpoint;
}

/** What the verifier says of a copy that was changed. */
async function faultsOf(change: (copy: MemoryArchive) => void | Promise<void>) {
  const copy = sound.copy();
  await change(copy);
  return (await verifyLog(copy)).faults;
}

function bytesOf(archive: MemoryArchive, name: string): Uint8Array {
  return archive.objects.get(name) ?? new Uint8Array();
}

describe("is found, and where it is", () => {
  test("any byte of any object, changed", async () => {
    const place = fc.constantFrom(...names).chain((name) =>
      fc.record({
        name: fc.constant(name),
        at: fc.nat(bytesOf(sound, name).length - 1),
        flip: fc.integer({ min: 1, max: 255 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(place, async ({ name, at, flip }) => {
        const faults = await faultsOf((copy) => {
          const bytes = bytesOf(copy, name);
          bytes[at] = (bytes[at] ?? 0) ^ flip;
        });
        expect(faults.map(({ object }) => object)).toContain(name);
      }),
      { numRuns: RUNS * 3 },
    );
  }, 120_000);

  test("the number of the first record that a checkpoint says its segment holds", async () => {
    for (const name of names.filter((each) => each.startsWith("audit/checkpoints/"))) {
      const faults = await faultsOf((copy) => {
        const text = new TextDecoder().decode(bytesOf(copy, name));
        const other = text.replace(
          /^segment (\d+)-/m,
          (_, first) => `segment ${Number(first) - 1}-`,
        );
        copy.objects.set(name, new TextEncoder().encode(other));
      });
      expect(faults.map(({ object }) => object)).toContain(name);
    }
  });

  test("every byte of the gzip header and trailer of a segment, and every bit of a checkpoint's base64", async () => {
    const [segment = ""] = segments.slice(-1);
    const { length } = bytesOf(sound, segment);
    const places = [...Array(10).keys(), ...Array.from({ length: 8 }, (_, n) => length - 1 - n)];
    for (const at of places) {
      const faults = await faultsOf((copy) => {
        const bytes = bytesOf(copy, segment);
        bytes[at] = (bytes[at] ?? 0) ^ 1;
      });
      expect(faults.map(({ object }) => object)).toContain(segment);
    }
    // The last character before the padding has bits that decode to nothing.
    const text = new TextDecoder().decode(bytesOf(sound, HEAD));
    const loose = text.replace(/([A-Za-z0-9+/])=\n/g, (_, last: string) => {
      const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
      return `${alphabet[alphabet.indexOf(last) ^ 1]}=\n`;
    });
    expect(loose).not.toBe(text);
    expect(Buffer.from(loose.split("\n")[2] ?? "", "base64")).toEqual(
      Buffer.from(text.split("\n")[2] ?? "", "base64"),
    );
    const [, size = ""] = text.split("\n");
    for (const name of [HEAD, checkpointName(Number(size))]) {
      const faults = await faultsOf((copy) => {
        copy.objects.set(name, new TextEncoder().encode(loose));
      });
      expect(faults.map(({ object }) => object)).toContain(name);
    }
  });

  test("any object that is gone, cut short, grown, or put in another's place", async () => {
    // Partial tiles of sizes that the log has left behind may go.
    const { size } = await verifyLog(sound);
    // So may a cosignature: nobody has promised one.
    const needed = (name: string) =>
      (!name.includes("/cosignatures/") && !name.includes(".p/")) ||
      name.endsWith(`.p/${size % 256}`);
    for (const name of names.filter((each) => needed(each) || each.startsWith("audit/tile/1/"))) {
      const gone = await faultsOf((copy) => void copy.objects.delete(name));
      expect(
        gone.map(({ object }) => object),
        name,
      ).toContain(name);
    }
    const other = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names), fc.nat(3));
    await fc.assert(
      fc.asyncProperty(other, async ([name, from, how]) => {
        const mine = bytesOf(sound, name);
        const theirs = bytesOf(sound, from);
        const now = [
          mine.slice(0, -1),
          Buffer.concat([mine, Uint8Array.of(10)]),
          theirs,
          new Uint8Array(),
        ][how];
        if (now === undefined || Buffer.from(now).equals(mine)) return;
        const faults = await faultsOf((copy) => void copy.objects.set(name, new Uint8Array(now)));
        expect(faults.map(({ object }) => object)).toContain(name);
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  test("a record dropped, doubled, swapped, inserted or rewritten, in a segment that is packed again", async () => {
    const kinds = ["drop", "double", "swap", "insert", "rewrite"] as const;
    const change = fc.record({
      segment: fc.constantFrom(...segments.filter((name) => name !== segments[0])),
      kind: fc.constantFrom(...kinds),
      at: fc.nat(300),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ segment, kind, at: any }) => {
        const lines = await segmentLines(bytesOf(sound, segment));
        const at = any % lines.length;
        const [line = "", next = ""] = [lines[at], lines[(at + 1) % lines.length]];
        const before = [...lines];
        if (kind === "drop") lines.splice(at, 1);
        if (kind === "double" || kind === "insert") lines.splice(at, 0, line);
        if (kind === "swap") [lines[at], lines[(at + 1) % lines.length]] = [next, line];
        if (kind === "rewrite") lines[at] = line.replace('"v":1', '"v":2');
        if (lines.join("\n") === before.join("\n")) return;
        const packed = await packSegment(lines);
        const faults = await faultsOf((copy) => void copy.objects.set(segment, packed));
        expect(faults).toContainEqual({
          object: segment,
          says: "is not the object that was sealed",
        });
        const first = Number(/(\d+)-/.exec(segment)?.[1]);
        if (kind === "rewrite")
          expect(faults).toContainEqual(
            expect.objectContaining({ object: segment, sequence: first + at }),
          );
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  test("an older head, restored", async () => {
    const faults = await faultsOf((copy) => {
      copy.objects.set(HEAD, bytesOf(copy, checkpointName(47)));
    });
    expect(faults).toEqual([
      { object: HEAD, says: expect.stringContaining("is older than audit/checkpoints/") },
    ]);
  });

  test("a leaf, its tiles and its root rewritten together, without the key", async () => {
    const stranger = await signerOf(ORIGIN, new Uint8Array(32).fill(9));
    const [size = 0] = names
      .flatMap((name) => /checkpoints\/(\d+)/.exec(name)?.[1] ?? [])
      .map(Number)
      .toSorted((a, b) => b - a);
    const text = new TextDecoder().decode(bytesOf(sound, HEAD));
    const body = text
      .slice(0, text.indexOf("\n\n") + 1)
      .replace(/\n\S{44}\n/, `\n${toBase64(new Uint8Array(32))}\n`);
    const forged = new TextEncoder().encode(await signNote(body, [stranger]));
    const faults = await faultsOf((copy) => {
      copy.objects.set(HEAD, forged);
      copy.objects.set(checkpointName(size), forged);
    });
    expect(faults.map(({ object }) => object)).toContain(checkpointName(size));
  });

  test("what belongs to no log", async () => {
    for (const name of [
      "audit/x",
      "audit/tile/0/000.p/256",
      "audit/segments/0-1.jsonl.gz",
      "other",
    ])
      expect(
        await faultsOf((copy) => void copy.objects.set(name, new Uint8Array())),
      ).toContainEqual({
        object: name,
        says: "does not belong to the log",
      });
    const extra = await packSegment([`{"event_id":"evt_1"}`]);
    expect(
      (await faultsOf((copy) => void copy.objects.set("audit/segments/305-305.jsonl.gz", extra)))
        .length,
    ).toBeGreaterThan(0);
  });
});

describe("a checkpoint that was kept elsewhere", () => {
  test("is the only thing that shows a log cut off behind an older head, and without it that is said", async () => {
    const kept = new TextDecoder().decode(bytesOf(sound, HEAD));
    const world = new LogWorld();
    await world.grow([5, 40]);
    const cut = world.archive;
    const alone = await verifyLog(cut);
    expect(alone.faults).toEqual([]);
    expect(alone.limits[0]).toMatch(/cut off|rewritten/);
    const { faults } = await verifyLog(cut, { since: checkpointOf(kept) });
    expect(faults.map(({ object }) => object)).toContain(HEAD);
  });

  test("of the same log is found in it", async () => {
    const kept = new TextDecoder().decode(bytesOf(sound, checkpointName(46)));
    const report = await verifyLog(sound, { since: checkpointOf(kept) });
    expect(report.faults).toEqual([]);
    expect(report.limits).toHaveLength(1);
  });

  test("of another log is told apart from one that does not fit", async () => {
    const kept = new TextDecoder().decode(bytesOf(sound, checkpointName(46)));
    const since = checkpointOf(kept.replaceAll("gateway.example", "other.example"));
    expect((await verifyLog(sound, { since })).faults).toEqual([
      { object: "--since", says: `is a checkpoint of another log: ${since.origin}` },
    ]);
  });

  test("shows that the key's holder has rewritten the log", async () => {
    const kept = new TextDecoder().decode(bytesOf(sound, checkpointName(46)));
    const world = new LogWorld();
    await world.grow([5, 40, 300]);
    expect((await verifyLog(world.archive)).faults).toEqual([]);
    const { faults } = await verifyLog(world.archive, { since: checkpointOf(kept) });
    expect(faults).toContainEqual({
      object: checkpointName(46),
      says: "the first 46 records are not those of the checkpoint that you keep",
    });
  });
});

describe("a witness", () => {
  test("that is named vouches for the greatest checkpoint that it cosigned", async () => {
    const witness = await witnessOf();
    const report = await verifyLog(sound, { witnesses: [witness] });
    expect(report.faults).toEqual([]);
    expect(report.witnesses).toMatchObject([{ name: witness.name, trustedBy: "you", size: 46 }]);
    expect(report.limits[0]).toContain(`Up to record 46 ${witness.name} vouches`);
    expect((await verifyLog(sound)).witnesses).toMatchObject([{ trustedBy: "nobody" }]);
  });

  test("that is named and has cosigned nothing is missed", async () => {
    const { faults } = await verifyLog(sound, { witnesses: [await witnessOf(8)] });
    expect(faults).toMatchObject([{ says: expect.stringContaining("holds none of") }]);
  });

  test("finds a history that the key's holder has rewritten: its cosignature does not fit there", async () => {
    const world = new LogWorld();
    await world.grow([5, 40, 1]);
    for (const [name, bytes] of sound.objects)
      if (/cosignatures|keys/.test(name)) world.archive.objects.set(name, bytes);
    expect((await verifyLog(world.archive)).faults).toMatchObject([
      { object: expect.stringContaining("audit/cosignatures/46/"), says: expect.any(String) },
    ]);
  });

  test("signs no checkpoint in the log's own place", async () => {
    const witness = await witnessOf();
    const faults = await faultsOf(async (copy) => {
      for (const name of names.filter((each) => each.startsWith("audit/keys/")))
        if (!name.endsWith(`${keyIdOf(witness)}.json`)) copy.objects.delete(name);
    });
    expect(faults).toContainEqual({
      object: checkpointName(5),
      says: "has no right signature by a key of the log",
    });
  });
});
