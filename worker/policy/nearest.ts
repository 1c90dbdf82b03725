/** The known name that is nearest to a misspelt one; null where none is near enough to be meant. */
export function nearest(name: string, known: Iterable<string>): string | null {
  const wanted = name.toLowerCase().slice(0, MOST_LENGTH);
  let best: string | null = null;
  let least = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const each of known) {
    const steps = distance(wanted, each.toLowerCase(), least);
    if (steps < least) {
      least = steps;
      best = each;
    }
  }
  return best ?? begun(wanted, known);
}

/** The one known name that begins with a whole word that was written. */
function begun(wanted: string, known: Iterable<string>): string | null {
  if (!/^\w{2,}$/.test(wanted)) return null;
  const found = [...known].filter((each) => {
    const lower = each.toLowerCase();
    return lower.startsWith(wanted) && /^[-/_.]/.test(lower.slice(wanted.length));
  });
  return found.length === 1 ? (found[0] ?? null) : null;
}

/** `; did you mean 'x'?`, or nothing where no known name is near. */
export function hint(name: string, known: Iterable<string>): string {
  const near = nearest(name, known);
  return near === null ? "" : `; did you mean '${near}'?`;
}

const MOST_LENGTH = 100;

/** Insertions, deletions, replacements and swaps of neighbours between two texts; `limit` or more is cut short. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(at(above, j) + 1, at(row, j - 1) + 1, at(above, j - 1) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, at(before, j - 2) + 1);
      }
      row.push(least);
    }
    before = above;
    above = row;
  }
  return at(above, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.MAX_SAFE_INTEGER;
}
