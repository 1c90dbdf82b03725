import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// Runtimes find each other by files in a folder: one per worker and one per candidate for the storage, each
// with the address of a debug port; the oldest candidate owns the storage. Every worker of a cluster has a
// folder of its own, in which the owner's address is that of a link which can be cut. A runtime takes a new
// connection when the address in an entry changes.

/** As miniflare writes them; only the address matters here. */
type Entry = { debugPortAddress: string } & Record<string, unknown>;

/** What the owner of objects and storage announces, by file name. */
export type Announcement = Map<string, Entry>;

const CANDIDATE = "__miniflare_storage_candidate__-";
/** Later than any heartbeat: a mirrored entry never grows stale. */
const NEVER_STALE = new Date("2100-01-01");

/** An empty folder: what a killed runtime left there would be taken for a living one. */
export function clearRegistry(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}

export function announcementIn(folder: string): Announcement {
  // Under one name over all lives of the owner, so that its file stays the oldest; after the worker's entry,
  // so that who sees its new address sees the worker's too.
  const entries: Announcement = new Map();
  const last = (name: string) => Number(name.startsWith(CANDIDATE));
  for (const name of readdirSync(folder).toSorted((x, y) => last(x) - last(y))) {
    const entry = JSON.parse(readFileSync(join(folder, name), "utf8")) as Entry;
    entries.set(name.startsWith(CANDIDATE) ? `${CANDIDATE}owner` : name, entry);
  }
  return entries;
}

export function portOf(announcement: Announcement): number {
  const [entry] = announcement.values();
  if (entry === undefined) throw new Error("the owner of the objects announced nothing");
  return Number(entry.debugPortAddress.split(":").at(-1));
}

/** Announces the owner in a worker's folder, at this port. */
export function mirror(announcement: Announcement, folder: string, port: number): void {
  for (const [name, entry] of announcement) {
    const file = join(folder, name);
    writeFileSync(file, JSON.stringify({ ...entry, debugPortAddress: `127.0.0.1:${port}` }));
    utimesSync(file, NEVER_STALE, NEVER_STALE);
  }
}
