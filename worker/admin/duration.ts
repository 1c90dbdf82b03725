const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const GRAMMAR = /^([1-9]\d{0,8})(s|m|h|d|w|mo)$/;
/** No lifetime reaches beyond this; it keeps every instant inside what dates can say. */
const MOST_MS = 100 * 366 * UNITS.d;

/** True for `<int><unit>` with a unit of s, m, h, d, w, mo, from one second to about a hundred years. */
export function isDuration(text: string): boolean {
  return addDuration(0, text) !== null;
}

/** The instant that lies a duration after another, in Unix milliseconds; null for a text that is no duration. */
export function addDuration(from: number, text: string): number | null {
  const [, digits, unit] = GRAMMAR.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return null;
  const count = Number(digits);
  const end =
    unit === "mo" ? addMonths(from, count) : from + count * UNITS[unit as keyof typeof UNITS];
  return end - from <= MOST_MS ? end : null;
}

/** The same day some months later, or that month's last day where it is shorter. */
function addMonths(from: number, count: number): number {
  const start = new Date(from);
  const day = start.getUTCDate();
  const end = new Date(from);
  end.setUTCDate(1);
  end.setUTCMonth(start.getUTCMonth() + count);
  const last = new Date(Date.UTC(end.getUTCFullYear(), end.getUTCMonth() + 1, 0)).getUTCDate();
  end.setUTCDate(Math.min(day, last));
  const at = end.getTime();
  return Number.isNaN(at) ? Number.POSITIVE_INFINITY : at;
}
