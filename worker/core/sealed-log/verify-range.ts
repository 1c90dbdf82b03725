import { readCheckpoint } from "./checkpoint.ts";
import { checkpointName, HEAD, keyName, readKeyFile, segmentName, tileName } from "./layout.ts";
import { NO_LEAF, readLeaf, recordHash } from "./leaf.ts";
import { inclusionProof, leafHash, provesInclusion, sameBytes } from "./merkle.ts";
import type { Hash } from "./merkle.ts";
import { isSignedBy } from "./note.ts";
import type { Fault, LogObjects } from "./report.ts";
import { segmentLines } from "./segment.ts";
import { tileNodes, TILE_WIDTH, unpackEntries } from "./tiles.ts";
import type { Tile } from "./tiles.ts";

export interface RangeReport {
  from: number;
  to: number;
  /** Records whose text was there and was compared. */
  records: number;
  /** The signed checkpoint that they were proved against. */
  checkpoint: string;
  faults: Fault[];
}

/** Where a segment begins and ends, for those that hold a range. */
export interface SegmentRange {
  first: number;
  last: number;
}

/**
 * Proves some records against the newest checkpoint, as whoever sealed it holds it: each one's text by its leaf, the leaf
 * by the one before it and by its path to the signed root; and that the archive has that checkpoint. Throws for text that
 * is no checkpoint.
 */
export async function verifyRange(
  objects: Pick<LogObjects, "get">,
  sealed: string,
  segments: readonly SegmentRange[],
  from: number,
  to: number,
): Promise<RangeReport> {
  const signed = readCheckpoint(sealed);
  if (signed === null) throw new TypeError("The log's own checkpoint is none.");
  const { size, root } = signed.checkpoint;
  const last = Math.min(to, size);
  const faults: Fault[] = [];
  for (const name of [HEAD, checkpointName(size)]) {
    const says = wrongCopy(await objects.get(name), sealed, size);
    if (says !== null) faults.push({ object: name, says });
  }
  if (!(await isSigned(objects, signed.note)))
    faults.push({ object: checkpointName(size), says: "is not signed by a key of the log" });
  const tile = async (wanted: Tile) => {
    const full = { ...wanted, width: TILE_WIDTH };
    const bytes = (await objects.get(tileName(wanted))) ?? (await objects.get(tileName(full)));
    return bytes ?? new Uint8Array();
  };
  const nodes = tileNodes(size, tile);
  const leaves = leafReader(size, tile);
  const texts = recordReader(objects, segments, faults);
  let records = 0;
  let before: Hash | null = from === 1 ? NO_LEAF : await hashOf(leaves, from - 1);
  for (let sequence = from; sequence <= last; sequence++) {
    const found = await leaves(sequence);
    const leaf = found && readLeaf(found.bytes);
    if (!found || !leaf || leaf.sequence !== sequence) {
      faults.push({ object: found?.name ?? "", sequence, says: "is not a well-formed leaf" });
      before = null;
      continue;
    }
    if (before !== null && !sameBytes(leaf.previous, before))
      faults.push({ object: found.name, sequence, says: "does not follow on the leaf before it" });
    before = leafHash(found.bytes);
    const path = await inclusionProof(nodes, sequence - 1, size);
    if (!provesInclusion(before, sequence - 1, size, path, root))
      faults.push({ object: found.name, sequence, says: "is not in the tree that is signed" });
    const record = await texts(sequence);
    if (record === null) continue;
    records += 1;
    if (!sameBytes(recordHash(record.text), leaf.recordHash))
      faults.push({
        object: record.name,
        sequence,
        says: `is not the record that was sealed (${leaf.eventId})`,
      });
  }
  return { from, to: last, records, checkpoint: sealed, faults };
}

/** What is wrong with the archive's copy of a checkpoint; null for nothing. The log may have been sealed again meanwhile. */
function wrongCopy(bytes: Uint8Array | null, sealed: string, size: number): string | null {
  if (bytes === null) return "is missing";
  const text = new TextDecoder().decode(bytes);
  if (text === sealed) return null;
  const there = readCheckpoint(text)?.checkpoint.size ?? size;
  if (there > size) return null;
  return there < size
    ? `is older than what was sealed: ${there} records in place of ${size}`
    : `is not what was sealed over ${size} records`;
}

type Note = NonNullable<ReturnType<typeof readCheckpoint>>["note"];

async function isSigned(objects: Pick<LogObjects, "get">, note: Note): Promise<boolean> {
  for (const { keyId } of note.signatures) {
    const file = await objects.get(keyName(keyId));
    const key = file === null ? null : readKeyFile(new TextDecoder().decode(file));
    if (key?.kind === "log" && (await isSignedBy(note, key))) return true;
  }
  return false;
}

type LeafReader = (sequence: number) => Promise<{ name: string; bytes: Uint8Array } | null>;

function leafReader(size: number, read: (tile: Tile) => Promise<Uint8Array>): LeafReader {
  let kept: { index: number; name: string; leaves: Uint8Array[] } | null = null;
  return async (sequence) => {
    const index = Math.floor((sequence - 1) / TILE_WIDTH);
    if (kept?.index !== index) {
      const tile: Tile = {
        level: "entries",
        index,
        width: Math.min(TILE_WIDTH, size - index * TILE_WIDTH),
      };
      kept = { index, name: tileName(tile), leaves: unpackEntries(await read(tile)) ?? [] };
    }
    const bytes = kept.leaves[(sequence - 1) % TILE_WIDTH];
    return bytes === undefined ? null : { name: kept.name, bytes };
  };
}

async function hashOf(leaves: LeafReader, sequence: number): Promise<Hash | null> {
  const found = await leaves(sequence);
  return found && leafHash(found.bytes);
}

function recordReader(
  objects: Pick<LogObjects, "get">,
  segments: readonly SegmentRange[],
  faults: Fault[],
): (sequence: number) => Promise<{ name: string; text: string } | null> {
  let kept: { range: SegmentRange; lines: string[] | null } | null = null;
  return async (sequence) => {
    const range = segments.find(({ first, last }) => first <= sequence && sequence <= last);
    if (range === undefined) return null;
    const name = segmentName(range);
    if (kept?.range !== range) {
      const bytes = await objects.get(name);
      const lines = bytes && (await segmentLines(bytes).catch(() => null));
      if (lines === null)
        faults.push({ object: name, sequence, says: "is missing or can't be unpacked" });
      kept = { range, lines };
    }
    const text = kept.lines?.[sequence - range.first];
    return text === undefined ? null : { name, text };
  };
}
