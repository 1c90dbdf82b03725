import { DAY_MS } from "../worker/core/time.ts";
import type { OwnEvent } from "./audit-row.ts";
import type { SealArchive } from "./audit-sealer.ts";

interface Segment {
  first: number;
  last: number;
  name: string;
}

/** The object's storage as retention needs it. Each mutation is one transaction. */
export interface RetentionStorage {
  /** Segments all of whose records may go, the oldest first. */
  expiring(now: number, limit: number): Segment[];
  /** Puts a record about it into the log and marks the segments of the range with it, together. */
  expire(first: number, last: number, event: OwnEvent): void;
  /** Marked segments whose record is sealed. */
  expired(): Segment[];
  /** Forgets segments and their rows: the objects are gone. */
  forgetSegments(segments: Segment[]): void;
  /** Forgets texts of sealed records that are older; they are read from their segments. */
  trim(before: number, limit: number): void;
}

export interface RetentionParts {
  storage: RetentionStorage;
  archive: Pick<SealArchive, "remove">;
  seal: () => Promise<void>;
  now: () => number;
}

/** How long the object itself keeps the text of a sealed record. */
const TEXT_MS = 7 * DAY_MS;
const MAX_SEGMENTS = 500;
const MAX_TRIMMED = 5_000;

/**
 * Drops texts that are older than they are kept. It is on record, and sealed, before anything is gone: a segment that is
 * missing without that is a fault (docs/audit.md). Killed anywhere, the next run goes on.
 */
export async function retain({ storage, archive, seal, now }: RetentionParts): Promise<void> {
  const at = now();
  const expiring = storage.expiring(at, MAX_SEGMENTS);
  for (const { first, last } of joined(expiring)) {
    const data = { first_sequence: first, last_sequence: last };
    storage.expire(first, last, { type: "audit.retention_applied", at, data });
  }
  if (expiring.length > 0) await seal();
  const expired = storage.expired();
  if (expired.length > 0) {
    await archive.remove(expired.map(({ name }) => name));
    storage.forgetSegments(expired);
  }
  storage.trim(at - TEXT_MS, MAX_TRIMMED);
}

/** Ranges of segments that follow on each other. */
function joined(segments: readonly Segment[]): { first: number; last: number }[] {
  const ranges: { first: number; last: number }[] = [];
  for (const { first, last } of segments) {
    const before = ranges.at(-1);
    if (before?.last === first - 1) before.last = last;
    else ranges.push({ first, last });
  }
  return ranges;
}
