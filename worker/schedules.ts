import { DAY_MS, utcDay } from "./core/time.ts";
import { forgetOldMarks, prepared } from "./store/changes.ts";
import { forgetUsage } from "./store/usage-rows.ts";

/** How long the index knows single requests; their sums and their segments in the archive stay. */
const USAGE_DAYS = 90;
const USAGE_ROWS = 5_000;

/**
 * The minute's housekeeping. Local runtimes fire no cron and a timer of `npm start` drives it (PLATFORM 7), so nothing
 * that has to be right may depend on it: what must happen is an alarm of the object that owns it.
 */
export async function housekeep(d1: D1Database, now: number): Promise<void> {
  await forgetOldMarks(d1, now);
  const before = utcDay(now - USAGE_DAYS * DAY_MS);
  await prepared(d1, forgetUsage(before, USAGE_ROWS)).run();
}
