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
  /** Segments that were marked before a moment by records that are sealed. */
  expired(before: number, limit: number): Segment[];
  /** Forgets segments and their rows: the objects are gone. */
  forgetSegments(segments: Segment[]): void;
  /** Partial tiles whose full tile was made before a moment. */
  superfluous(before: number): string[];
  forgetSuperfluous(names: string[]): void;
  /** True while something is marked but not removed yet. */
  removes(): boolean;
  /** Forgets the next texts of sealed records that are older; they are read from their segments. Tells how many. */
  trim(before: number, limit: number): number;
}

export interface RetentionParts {
  storage: RetentionStorage;
  archive: Pick<SealArchive, "remove">;
  now: () => number;
  /** Lets the object take other calls in. */
  pause: () => Promise<unknown>;
}

/** How long the object itself keeps the text of a sealed record. */
const TEXT_MS = 7 * DAY_MS;
/** What nobody needs any more stays for those who are just reading a log that did. */
const READERS_MS = 3_600_000;
const MAX_SEGMENTS = 500;
/** Segments and records of one transaction. */
const SEGMENTS = 10;
const TRIMMED = 1_000;

/**
 * Drops texts that are older than they are kept. It is on record, and sealed, before anything is gone: a segment that is
 * missing without that is a fault (docs/audit.md). Killed anywhere, the next run goes on. True where something is left to
 * do in an hour.
 */
export async function retain({ storage, archive, now, pause }: RetentionParts): Promise<boolean> {
  const at = now();
  for (const { first, last } of joined(storage.expiring(at, MAX_SEGMENTS))) {
    const data = { first_sequence: first, last_sequence: last };
    storage.expire(first, last, { type: "audit.retention_applied", at, data });
  }
  for (;;) {
    const expired = storage.expired(at - READERS_MS, SEGMENTS);
    if (expired.length === 0) break;
    await archive.remove(expired.map(({ name }) => name));
    storage.forgetSegments(expired);
  }
  for (;;) {
    const superfluous = storage.superfluous(at - READERS_MS);
    if (superfluous.length === 0) break;
    await archive.remove(superfluous);
    storage.forgetSuperfluous(superfluous);
  }
  while (storage.trim(at - TEXT_MS, TRIMMED) === TRIMMED) await pause();
  return storage.removes();
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
