import { forgetOldMarks } from "./store/changes.ts";

/**
 * The minute's housekeeping. Local runtimes fire no cron and a timer of `npm start` drives it (PLATFORM 7), so nothing
 * that has to be right may depend on it: what must happen is an alarm of the object that owns it.
 */
export async function housekeep(d1: D1Database, now: number): Promise<void> {
  await forgetOldMarks(d1, now);
}
