import { fromBase64, toBase64 } from "../bytes.ts";
import type { Hash } from "./merkle.ts";
import { readNote } from "./note.ts";
import type { SignedNote } from "./note.ts";

/** A segment that a checkpoint brings in, and the hash of its object as it is stored. */
export interface SegmentRef {
  first: number;
  last: number;
  hash: Hash;
}

/** What a checkpoint says (C2SP tlog-checkpoint, with lines of our own after the root). */
export interface Checkpoint {
  /** Names the log: `<host>/audit/<organization>`. */
  origin: string;
  size: number;
  root: Hash;
  /** Unix milliseconds. */
  at: number;
  /** Hash of the last leaf: where the chain stands. */
  chain: Hash;
  /** The records between the checkpoint before and this one. */
  segment: SegmentRef;
}

/** The text that is signed. */
export function checkpointText(checkpoint: Checkpoint): string {
  const { origin, size, root, at, chain, segment } = checkpoint;
  return [
    origin,
    String(size),
    toBase64(root),
    `time ${new Date(at).toISOString()}`,
    `chain ${toBase64(chain)}`,
    `segment ${segment.first}-${segment.last} ${toBase64(segment.hash)}`,
    "",
  ].join("\n");
}

const LINES =
  /^(\S+)\n([1-9]\d{0,15})\n(\S{44})\ntime (\S{24})\nchain (\S{44})\nsegment ([1-9]\d{0,15})-([1-9]\d{0,15}) (\S{44})\n$/;

/** Reads a checkpoint with its signatures; null for text of any other form, whoever signed it. */
export function readCheckpoint(text: string): { checkpoint: Checkpoint; note: SignedNote } | null {
  const note = readNote(text);
  const [, origin, size, root, time, chain, first, last, hash] = LINES.exec(note?.body ?? "") ?? [];
  if (note === null || origin === undefined) return null;
  const hashes = [root, chain, hash].map((each) => fromBase64(each ?? ""));
  const at = Date.parse(time ?? "");
  if (hashes.some((each) => each?.length !== 32) || Number.isNaN(at)) return null;
  const [rootHash, chainHash, segmentHash] = hashes as [Hash, Hash, Hash];
  const checkpoint: Checkpoint = {
    origin,
    size: Number(size),
    root: rootHash,
    at,
    chain: chainHash,
    segment: { first: Number(first), last: Number(last), hash: segmentHash },
  };
  return checkpointText(checkpoint) === note.body ? { checkpoint, note } : null;
}

/** What is wrong with a head beside the newest checkpoint of its log; null for nothing. */
export function wrongHead(
  head: string | null,
  newest: { name: string; text: string } | undefined,
): string | null {
  if (head === null) return "is missing";
  if (newest === undefined) return "has no checkpoint that it repeats";
  if (head === newest.text) return null;
  const size = readCheckpoint(newest.text)?.checkpoint.size ?? 0;
  const mine = readCheckpoint(head)?.checkpoint.size ?? size;
  if (mine === size) return `is not ${newest.name}`;
  return `is ${mine < size ? "older" : "newer"} than ${newest.name}, the newest that is there: it is of ${mine} records`;
}
