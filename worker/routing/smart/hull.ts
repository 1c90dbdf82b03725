/** A point of the price–quality plane. */
export interface Point {
  /** Nano-dollars, or milliseconds: what is saved on. */
  cost: number;
  /** 0–1. */
  quality: number;
}

/**
 * The points that no mix of two others beats: from the cheapest on, each dearer one better, and each step worth at least
 * as much as the next. Cost ascending; of equals the first.
 */
export function hullOf<T extends Point>(points: readonly T[]): T[] {
  const sorted = points.toSorted((a, b) => a.cost - b.cost || b.quality - a.quality);
  const hull: T[] = [];
  for (const point of sorted) {
    const last = hull.at(-1);
    if (last !== undefined && point.quality <= last.quality) continue;
    while (hull.length >= 2 && slope(hull.at(-2), hull.at(-1)) <= slope(hull.at(-1), point)) {
      hull.pop();
    }
    hull.push(point);
  }
  return hull;
}

function slope(from: Point | undefined, to: Point | undefined): number {
  if (from === undefined || to === undefined) return 0;
  const width = to.cost - from.cost;
  return width > 0 ? (to.quality - from.quality) / width : Number.POSITIVE_INFINITY;
}
