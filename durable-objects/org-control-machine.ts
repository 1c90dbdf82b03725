import type { AuditRecord } from "../worker/core/audit.ts";
import type { Applied, Change } from "../worker/core/ports.ts";
import type {
  Delta,
  KeyRecord,
  Opened,
  OrgShared,
  TeamRecord,
  UserRecord,
} from "../worker/core/records.ts";
import type { WriteOutcome } from "../worker/store/changes.ts";
import type { KeyRows } from "../worker/store/org-rows.ts";
import { bindingPolicies } from "../worker/store/policy-bundles.ts";

/** What the object keeps on disk. Each mutation is one transaction and returns when it is part of the storage. */
export interface OrgControlStorage {
  load(): { revision: number; pending: Change | null };
  storeIntent(change: Change): void;
  /** Forgets the intent without a new revision. */
  dropIntent(): void;
  /**
   * Forgets the intent, raises the revision, logs what was touched, puts the events into the outbox; returns the new
   * revision.
   */
  commit(touched: string[], events: AuditRecord[]): number;
  outbox(limit: number): { seq: number; record: AuditRecord }[];
  delivered(seqs: number[]): void;
  /** Names touched after a revision; null where the log no longer reaches back that far. */
  touchedSince(revision: number): string[] | null;
  /** A policy bundle by its hash; the ones longest kept go where they are too many. */
  keepBundle(hash: string, text: string): void;
  bundle(hash: string): string | null;
}

/** The record, seen from one organization. */
export interface OrgRecords {
  shared(): Promise<OrgShared | null>;
  key(keyId: string): Promise<KeyRows>;
  write(change: Change): Promise<WriteOutcome>;
  /** A policy bundle out of the archive. */
  bundle(hash: string): Promise<string | null>;
  /**
   * Brings events of changes into the organization's log; returns the places of those that are durable. It may be told
   * of the same one again: the log knows event ids.
   */
  deliver(records: AuditRecord[]): Promise<number[]>;
}

/** The object's one alarm. */
export interface OrgControlAlarm {
  set(at: number): Promise<void>;
  clear(): Promise<void>;
}

const RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
const MAX_CACHED = 5_000;
const MAX_DELIVERED = 100;

type Cached = OrgShared | KeyRecord | TeamRecord | UserRecord | null;

/**
 * The single point that knows an organization's revision (PLATFORM 14). A change is applied in this order: intent on
 * disk, caches emptied, transaction on the record, revision, log of what it touched and events into the outbox, answer.
 * There is at most one unresolved change; while there is one, what it touches is read from the record and kept in no cache.
 */
export class OrgControlMachine {
  readonly #storage: OrgControlStorage;
  readonly #records: OrgRecords;
  readonly #alarm: OrgControlAlarm;
  readonly #now: () => number;
  readonly #cache = new Map<string, Cached>();
  #revision: number;
  #pending: Change | null;
  /** Moves at each beginning and end of a change, so that a read notices one that happened around it. */
  #generation = 0;
  #repetitions = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    storage: OrgControlStorage,
    records: OrgRecords,
    alarm: OrgControlAlarm,
    now: () => number,
  ) {
    this.#storage = storage;
    this.#records = records;
    this.#alarm = alarm;
    this.#now = now;
    const { revision, pending } = storage.load();
    this.#revision = revision;
    this.#pending = pending;
  }

  /** Null key = the organization alone. Without `shared` though asked for: there is no such organization. */
  async open(keyId: string | null, known: number, have: string[] = []): Promise<Opened> {
    // Taken before anything is read: rows may be newer than this revision, never older.
    const revision = this.#revision;
    const [shared, rows] = await Promise.all([
      this.#shared(),
      keyId === null ? { key: null, team: null, user: null } : this.#key(keyId),
    ]);
    const bundles = shared === null ? undefined : await this.#bundles(shared, rows.key, have);
    const sent = known === revision ? undefined : (shared ?? undefined);
    return { revision, shared: sent, ...rows, ...(bundles !== undefined && { bundles }) };
  }

  /** Keeps a policy bundle before a change points to it; a hash means one text for ever. */
  keepBundle(hash: string, text: string): void {
    this.#storage.keepBundle(hash, text);
  }

  /** What changed since a revision. */
  sync(known: number): Delta {
    const revision = this.#revision;
    if (known === revision) return { revision, touched: [] };
    const touched = known > revision ? null : this.#storage.touchedSince(known);
    return { revision, touched: touched ?? "all" };
  }

  /**
   * Applies a change, after all earlier ones. Throws `UnknownOutcome` when it may or may not be written (it is repeated
   * by alarm until that is known) or when an earlier change stands in that state (then this one was not begun).
   */
  apply(change: Change): Promise<Applied> {
    return this.#inOrder(() => this.#apply(change));
  }

  /** Repeats an unresolved change. Its successor is set before anything can fail; never throws. */
  async onAlarm(): Promise<void> {
    try {
      if (this.#pending === null && this.#storage.outbox(1).length === 0) return;
      const wait = Math.min(RETRY_MS * 2 ** Math.min(++this.#repetitions, 10), MAX_RETRY_MS);
      await this.#alarm.set(this.#now() + wait);
      await this.#inOrder(async () => {
        if (this.#pending !== null) await this.#finish(this.#pending);
        else if (await this.#deliver()) this.#repetitions = 0;
      });
    } catch {
      // The successor is due; a failed attempt has nothing to say.
    }
  }

  async #apply(change: Change): Promise<Applied> {
    const earlier = this.#pending;
    if (earlier !== null) {
      const outcome = await this.#finish(earlier);
      if (outcome.kind === "unknown") throw new UnknownOutcome();
    }
    await this.#alarm.set(this.#now() + RETRY_MS);
    this.#storage.storeIntent(change);
    this.#pending = change;
    this.#forget(change);
    return applied(await this.#finish(change));
  }

  async #finish(change: Change): Promise<Finished> {
    try {
      const outcome = await this.#records.write(change);
      if (outcome.kind === "unknown") return outcome;
      if (outcome.kind === "applied")
        this.#revision = this.#storage.commit(change.touches, change.events);
      else this.#storage.dropIntent();
      this.#pending = null;
      this.#repetitions = 0;
      this.#forget(change);
      // An alarm that rings for nothing does no harm.
      if (await this.#deliver()) await this.#alarm.clear().catch(() => undefined);
      return outcome.kind === "applied" ? { ...outcome, revision: this.#revision } : outcome;
    } catch {
      return { kind: "unknown" };
    }
  }

  /** Empties the outbox; false where something is left, and the alarm stays. Never throws. */
  async #deliver(): Promise<boolean> {
    try {
      for (;;) {
        const batch = this.#storage.outbox(MAX_DELIVERED);
        if (batch.length === 0) return true;
        const durable = new Set(await this.#records.deliver(batch.map(({ record }) => record)));
        const done = batch.filter((_, at) => durable.has(at));
        this.#storage.delivered(done.map(({ seq }) => seq));
        if (done.length < batch.length) return false;
      }
    } catch {
      return false;
    }
  }

  async #shared(): Promise<OrgShared | null> {
    const known = this.#cache.get("shared");
    if (known) return known as OrgShared;
    const generation = this.#generation;
    const shared = await this.#records.shared();
    if (shared !== null) this.#keep(generation, "shared", shared);
    return shared;
  }

  /** The bundles that bind a key, less those that the caller has; undefined for none. */
  async #bundles(
    shared: OrgShared,
    key: KeyRecord | null,
    have: string[],
  ): Promise<Record<string, string> | undefined> {
    const wanted = bindingPolicies(shared, key?.teamId ?? shared.org.defaultTeamId)
      .map(({ hash }) => hash)
      .filter((hash) => !have.includes(hash));
    if (wanted.length === 0) return undefined;
    const texts = await Promise.all(
      wanted.map(async (hash) => {
        const kept = this.#storage.bundle(hash) ?? (await this.#records.bundle(hash));
        if (kept === null) throw new Error("A policy bundle is missing.");
        return [hash, kept] as const;
      }),
    );
    return Object.fromEntries(texts);
  }

  async #key(keyId: string): Promise<KeyRows> {
    const known = this.#knownKey(keyId);
    if (known) return known;
    const generation = this.#generation;
    const rows = await this.#records.key(keyId);
    this.#keep(generation, `key:${keyId}`, rows.key);
    const teamId = rows.key?.teamId ?? rows.team?.id;
    if (teamId !== undefined) this.#keep(generation, `team:${teamId}`, rows.team);
    if (rows.key?.userId !== undefined)
      this.#keep(generation, `user:${rows.key.userId}`, rows.user);
    return rows;
  }

  #knownKey(keyId: string): KeyRows | null {
    const key = this.#cache.get(`key:${keyId}`) as KeyRecord | null | undefined;
    if (key === undefined) return null;
    if (key === null) return { key, team: null, user: null };
    const shared = this.#cache.get("shared") as OrgShared | undefined;
    if (key.teamId === undefined && shared === undefined) return null;
    const teamId = key.teamId ?? shared?.org.defaultTeamId;
    const team = this.#above<TeamRecord>("team", teamId);
    const user = this.#above<UserRecord>("user", key.userId);
    return team === undefined || user === undefined ? null : { key, team, user };
  }

  /** The row above a key: null where there is none, undefined where it has to be read. */
  #above<T extends Cached>(kind: string, id: string | undefined): T | null | undefined {
    return id === undefined ? null : (this.#cache.get(`${kind}:${id}`) as T | null | undefined);
  }

  #keep(generation: number, name: string, row: Cached): void {
    if (generation !== this.#generation || this.#pending?.touches.includes(name)) return;
    if (this.#cache.size >= MAX_CACHED) {
      const oldest = this.#cache.keys().next().value;
      if (oldest !== undefined) this.#cache.delete(oldest);
    }
    this.#cache.set(name, row);
  }

  #forget(change: Change): void {
    this.#generation++;
    const above = new Set(change.touches.filter((name) => /^(team|user):/.test(name)));
    for (const name of change.touches) this.#cache.delete(name);
    if (above.size === 0) return;
    // Keys may have gone with what stood above them.
    for (const [name, row] of this.#cache) {
      if (row === null || !name.startsWith("key:")) continue;
      const { teamId, userId } = row as KeyRecord;
      if (above.has(`team:${teamId}`) || above.has(`user:${userId}`)) this.#cache.delete(name);
    }
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

type Finished = Exclude<WriteOutcome, { kind: "applied" }> | { kind: "applied"; revision: number };

function applied(outcome: Finished): Applied {
  if (outcome.kind === "applied") return { ok: true, revision: outcome.revision };
  if (outcome.kind === "conflict") return { ok: false, conflict: outcome.what };
  if (outcome.kind === "refused") throw new RefusedChange();
  throw new UnknownOutcome();
}

/** Whether the change was written is not known yet. Sent again under its id, it is applied at most once. */
export class UnknownOutcome extends Error {
  constructor() {
    super("The outcome of a change is not known yet.");
    this.name = "UnknownOutcome";
  }
}

/** The database refuses the change whatever happens; nothing was written. */
export class RefusedChange extends Error {
  constructor() {
    super("The database refused a change.");
    this.name = "RefusedChange";
  }
}
