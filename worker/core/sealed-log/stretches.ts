/** Records from one sequence to another. */
export interface Range {
  first: number;
  last: number;
}

/** A part of a log that is worked off at once; `kept` where an object of that name is there. */
export interface Stretch extends Range {
  kept: boolean;
}

/**
 * A log's records in order and without gaps, by the segments that are there and the sizes of its checkpoints. What no
 * segment holds is a stretch of its own. `strange`: segments that have no place between the others.
 */
export function stretches(
  segments: readonly Range[],
  sizes: readonly number[],
): { stretches: Stretch[]; strange: Range[] } {
  const found: Stretch[] = [];
  const left = new Set(segments);
  let next = 1;
  const take = (segment: Range) => {
    found.push({ ...segment, kept: true });
    left.delete(segment);
    next = segment.last + 1;
  };
  /** The segment that begins where the last one ended; the longest one up to a bound. */
  const following = (bound: number) =>
    [...left]
      .filter(({ first, last }) => first === next && last >= first && last <= bound)
      .toSorted((a, b) => b.last - a.last)[0];
  for (const size of sizes.toSorted((a, b) => a - b)) {
    while (next <= size) {
      const segment = following(size);
      if (segment !== undefined) {
        take(segment);
        continue;
      }
      const later = [...left].filter(({ first, last }) => first > next && last <= size);
      const last = Math.min(size, ...later.map(({ first }) => first - 1));
      found.push({ first: next, last, kept: false });
      next = last + 1;
    }
  }
  for (let more = following(Infinity); more !== undefined; more = following(Infinity)) take(more);
  return { stretches: found, strange: [...left] };
}
