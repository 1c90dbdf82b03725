import { recordHash, recordIn, shownHash } from "./leaf.ts";
import type { Leaf } from "./leaf.ts";

/** What is wrong with one record of a segment, or with the segment as a whole. */
export interface Difference {
  sequence?: number;
  says: string;
}

/**
 * Sets the lines of a segment beside the leaves that were sealed of them, the first one's sequence being `first`, and
 * says of each record whether it was changed, is missing, never belonged there, or stands in another's place.
 */
export function differences(
  first: number,
  lines: readonly string[],
  leaves: readonly (Leaf | null)[],
): Difference[] {
  const found: Difference[] = [];
  const sealed = new Map<string, number>();
  const ids = new Set<string>();
  for (const [at, leaf] of leaves.entries()) {
    if (leaf === null) continue;
    sealed.set(shownHash(leaf.recordHash), at);
    ids.add(leaf.eventId);
  }
  const known = sealed.size === leaves.length;
  const there = lines.map((line) => ({
    place: sealed.get(shownHash(recordHash(line))),
    eventId: recordIn(line)?.eventId ?? null,
  }));
  const places = new Set(there.map(({ place }) => place));
  const given = new Set(there.map(({ eventId }) => eventId));
  for (const [at, leaf] of leaves.entries()) {
    if (leaf === null || places.has(at)) continue;
    // As many lines as leaves: something stands in its place.
    const changed = given.has(leaf.eventId) || lines.length === leaves.length;
    const says = changed ? "is not the record that was sealed" : "is missing";
    found.push({ sequence: first + at, says: `${says} (${leaf.eventId})` });
  }
  const seen = new Set<number>();
  for (const [at, { place, eventId }] of there.entries()) {
    const named = eventId ?? "no record in canonical form";
    if (place !== undefined && seen.has(place))
      found.push({ sequence: first + place, says: `is there again in line ${at + 1} (${named})` });
    else if (place !== undefined) seen.add(place);
    else if (known && lines.length !== leaves.length && !(eventId !== null && ids.has(eventId)))
      found.push({ says: `holds in line ${at + 1} what was never sealed there (${named})` });
  }
  const ordered = [...seen].toSorted((a, b) => a - b);
  for (const [at, place] of [...seen].entries()) {
    const expected = ordered[at] ?? place;
    if (place !== expected)
      found.push({
        sequence: first + expected,
        says: `has record ${first + place} in its place (${leaves[expected]?.eventId})`,
      });
  }
  return found;
}
