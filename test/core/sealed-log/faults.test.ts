import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import {
  checkpointName,
  HEAD,
  keyFile,
  policyName,
} from "../../../worker/core/sealed-log/layout.ts";
import { keyIdOf, signerOf } from "../../../worker/core/sealed-log/note.ts";
import { packSegment, segmentLines } from "../../../worker/core/sealed-log/segment.ts";
import { verifyLog } from "../../../worker/core/sealed-log/verify.ts";
import { LogWorld } from "../../support/sealed-log.ts";
import type { MemoryArchive } from "../../support/sealed-log.ts";

// What a verifier says of a log that somebody has laid hands on: all of it, so that one thing reads as one.

const POLICY = `{"rules":[]}`;
const POLICY_HASH = createHash("sha256").update(POLICY).digest("hex");
const POLICY_NAME = policyName(POLICY_HASH);

let sound: MemoryArchive;

beforeAll(async () => {
  const world = new LogWorld();
  await world.grow([5, 40, 1, 230, 20]);
  world.archive.objects.set(POLICY_NAME, new TextEncoder().encode(POLICY));
  const part = { scope: "organization", version: 1, hash: `sha256:${POLICY_HASH}`, rule: null };
  await world.append([world.record("request.blocked", { policy: [{ ...part, constraints: [] }] })]);
  await world.grow([3]);
  sound = world.archive;
});

function bytesOf(archive: MemoryArchive, name: string): Uint8Array {
  return archive.objects.get(name) ?? new Uint8Array();
}

async function faultsOf(change: (copy: MemoryArchive) => unknown) {
  const copy = sound.copy();
  await change(copy);
  return (await verifyLog(copy)).faults;
}

test("each thing as one, however much hangs on it", async () => {
  const [one, two, three] = ["7-46", "47-47", "48-256"].map(
    (part) => `audit/segments/${part}.jsonl.gz`,
  ) as [string, string, string];
  const edit = (name: string, change: (lines: string[]) => void) => async (copy: MemoryArchive) => {
    const lines = await segmentLines(bytesOf(copy, name));
    change(lines);
    copy.objects.set(name, await packSegment(lines));
  };
  const idOf = async (name: string, at: number) => {
    const line = (await segmentLines(bytesOf(sound, name)))[at] ?? "";
    return (JSON.parse(line) as { event_id: string }).event_id;
  };
  const stray = await signerOf("other.example/audit/x", new Uint8Array(32).fill(7));
  const strayName = `audit/keys/${keyIdOf(stray)}.json`;
  const forged = (copy: MemoryArchive) => {
    const text = new TextDecoder().decode(bytesOf(copy, checkpointName(46)));
    const other = text.replace("\n46\n", "\n20\n").replace("segment 7-46", "segment 7-20");
    copy.objects.set(checkpointName(20), new TextEncoder().encode(other));
  };
  const notSealed = { object: three, says: "is not the object that was sealed" };
  const cases: [string, (copy: MemoryArchive) => unknown, unknown[]][] = [
    [
      "a record dropped",
      edit(three, (lines) => lines.splice(10, 1)),
      [
        { object: three, says: "holds 208 records in place of 209" },
        notSealed,
        { object: three, sequence: 58, says: `is missing (${await idOf(three, 10)})` },
      ],
    ],
    [
      "one inserted",
      edit(three, (lines) => lines.splice(10, 0, `{"event_id":"evt_x"}`)),
      [
        { object: three, says: "holds 210 records in place of 209" },
        notSealed,
        { object: three, says: "holds in line 11 what was never sealed there (evt_x)" },
      ],
    ],
    [
      "one repeated",
      edit(three, (lines) => lines.splice(100, 0, lines[10] ?? "")),
      [
        { object: three, says: "holds 210 records in place of 209" },
        notSealed,
        {
          object: three,
          sequence: 58,
          says: `is there again in line 101 (${await idOf(three, 10)})`,
        },
      ],
    ],
    [
      "one rewritten",
      edit(three, (lines) => (lines[10] = (lines[10] ?? "").replace("sha256:1", "sha256:2"))),
      [
        notSealed,
        {
          object: three,
          sequence: 58,
          says: `is not the record that was sealed (${await idOf(three, 10)})`,
        },
      ],
    ],
    [
      "two swapped",
      edit(three, (lines) => lines.splice(10, 2, lines[11] ?? "", lines[10] ?? "")),
      [
        notSealed,
        {
          object: three,
          sequence: 58,
          says: `has record 59 in its place (${await idOf(three, 10)})`,
        },
        {
          object: three,
          sequence: 59,
          says: `has record 58 in its place (${await idOf(three, 11)})`,
        },
      ],
    ],
    [
      "a segment packed otherwise",
      async (copy) => copy.objects.set(one, gzipSync(gunzipSync(bytesOf(copy, one)), { level: 1 })),
      [{ object: one, says: "is not the object that was sealed, though its records are" }],
    ],
    [
      "segments with their checkpoints",
      (copy) => {
        for (const name of [one, two, checkpointName(46), checkpointName(47)])
          copy.objects.delete(name);
      },
      [
        {
          object: "audit/segments",
          says: "holds nothing of records 7 to 47, and what sealed them is missing too",
        },
      ],
    ],
    [
      "a segment that overlaps others",
      (copy) => copy.objects.set("audit/segments/2-3.jsonl.gz", bytesOf(copy, one)),
      [
        {
          object: "audit/segments/2-3.jsonl.gz",
          says: "has no place in the log: other segments hold its records",
        },
      ],
    ],
    [
      "a checkpoint that nobody signed",
      forged,
      [
        {
          object: "audit/checkpoints/20",
          says: "is not signed by a key of the log, and ends where no segment does",
        },
      ],
    ],
    [
      "the newest checkpoint",
      (copy) => copy.objects.delete(checkpointName(301)),
      [
        {
          object: checkpointName(301),
          says: "is missing: nothing seals audit/segments/298-301.jsonl.gz",
        },
        {
          object: HEAD,
          says: "is newer than audit/checkpoints/297, the newest that is there: it is of 301 records",
        },
        {
          object: "audit/segments/298-301.jsonl.gz",
          says: "holds records that no checkpoint covers",
        },
      ],
    ],
    [
      "the policy that a record names",
      (copy) => copy.objects.delete(POLICY_NAME),
      [{ object: POLICY_NAME, says: "is missing, though record 298 was decided by it" }],
    ],
    [
      "a key of another log",
      (copy) => copy.objects.set(strayName, new TextEncoder().encode(keyFile(stray))),
      [{ object: strayName, says: "is a key of another log: other.example/audit/x" }],
    ],
  ];
  for (const [what, change, expected] of cases)
    expect([what, await faultsOf(async (copy) => void (await change(copy)))]).toEqual([
      what,
      expected,
    ]);
});
