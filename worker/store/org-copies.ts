import type { Isolate, OrgCopy } from "../core/isolate.ts";
import type { Delta, Opened } from "../core/records.ts";

const MAX_ORGS = 200;
const MAX_KEYS = 500;

/** The isolate's copy of an organization, marked as lately used. */
export function copyOf(isolate: Isolate, orgId: string): OrgCopy | null {
  const copy = isolate.orgs.get(orgId);
  if (!copy) return null;
  isolate.orgs.delete(orgId);
  isolate.orgs.set(orgId, copy);
  return copy;
}

/** Begins a copy with the first answer about an organization. */
export function holdCopy(
  isolate: Isolate,
  orgId: string,
  keyId: string | null,
  opened: Opened,
  sentAt: number,
): void {
  const held = isolate.orgs.get(orgId);
  if (held) {
    // Another request began the copy meanwhile.
    holdOpened(held, keyId, opened);
    return;
  }
  const { revision } = opened;
  const copy: OrgCopy = { revision, syncedAt: sentAt, shared: null, keys: new Map() };
  holdOpened(copy, keyId, opened);
  dropOldest(isolate.orgs, MAX_ORGS);
  isolate.orgs.set(orgId, copy);
}

/**
 * Takes an answer into a copy. One that is older than the copy is left out, since the copy has heard of changes that it
 * may lack. One that is newer is taken, but does not make the copy newer: only a delta knows what else changed.
 */
export function holdOpened(copy: OrgCopy, keyId: string | null, opened: Opened): void {
  if (opened.revision < copy.revision) return;
  if (opened.shared) copy.shared = opened.shared;
  if (keyId === null) return;
  copy.keys.delete(keyId);
  dropOldest(copy.keys, MAX_KEYS);
  copy.keys.set(keyId, { key: opened.key, team: opened.team, user: opened.user });
}

/** Drops from a copy what changed since the revision that was asked about, and makes it as young as the question. */
export function applyDelta(copy: OrgCopy, delta: Delta, sentAt: number): void {
  // Changes between the revision asked about and the copy's present one are in the delta too; an older answer brings nothing.
  if (delta.revision < copy.revision && delta.touched !== "all") return;
  if (delta.touched === "all") {
    copy.keys.clear();
    copy.shared = null;
  } else {
    for (const name of delta.touched) drop(copy, name);
  }
  copy.revision = delta.revision;
  copy.syncedAt = Math.max(copy.syncedAt, sentAt);
}

function drop(copy: OrgCopy, name: string): void {
  const at = name.indexOf(":");
  const kind = at < 0 ? name : name.slice(0, at);
  const id = name.slice(at + 1);
  if (kind === "key") copy.keys.delete(id);
  if (kind === "shared") copy.shared = null;
  for (const [keyId, { key, team, user }] of copy.keys) {
    const stands =
      (kind === "team" && (team?.id === id || key?.teamId === id)) ||
      (kind === "user" && (user?.id === id || key?.userId === id)) ||
      // The organization's default team may be another one now.
      (kind === "shared" && key !== null && key.teamId === undefined);
    if (stands) copy.keys.delete(keyId);
  }
}

function dropOldest<T>(map: Map<string, T>, most: number): void {
  while (map.size >= most) {
    const oldest = map.keys().next().value;
    if (oldest === undefined) return;
    map.delete(oldest);
  }
}
