import type { AuditRecord } from "../worker/core/audit.ts";
import type { Change } from "../worker/core/ports.ts";
import { scopeKey } from "../worker/core/scope.ts";
import type { Scope, ScopeKind } from "../worker/core/scope.ts";
import type { OrgControlStorage } from "./org-control-machine.ts";
import type { Told, ToldStore } from "./org-limits.ts";

/** So many revisions back a copy can be brought up to date by names; older ones are read anew. */
const LOG_REVISIONS = 1_000;

const TABLES = `
  CREATE TABLE IF NOT EXISTS org_state (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    org_id TEXT NOT NULL,
    revision INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS intent (only INTEGER PRIMARY KEY CHECK (only = 1), change TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS touched (
    revision INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (revision, name)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS told (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    told TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS told_id ON told (kind, id);`;

const BUNDLES =
  "CREATE TABLE IF NOT EXISTS bundles (hash TEXT NOT NULL UNIQUE, text TEXT NOT NULL)";

/** Events of changes that are not in the organization's log yet. */
const OUTBOX =
  "CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL)";

/** Policy bundles that are kept here; older ones are read from the archive. */
const KEPT_BUNDLES = 200;

/** OrgControl's part of an object's SQLite. Nothing is written before the first intent, not even a table. */
export class OrgControlSqlite implements OrgControlStorage {
  readonly #storage: DurableObjectStorage;
  #made: boolean;
  #orgId: string | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    const tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'org_state'";
    this.#made = storage.sql.exec(tables).toArray().length > 0;
    if (this.#made) {
      const [row] = storage.sql.exec<{ org_id: string }>("SELECT org_id FROM org_state").toArray();
      this.#orgId = row?.org_id ?? null;
      // An object that was made before there were policies, or an outbox, lacks these tables.
      storage.sql.exec(BUNDLES);
      storage.sql.exec(OUTBOX);
    }
  }

  /** What ledgers were told of limits. */
  get told(): ToldStore {
    const { sql } = this.#storage;
    const all = (where: string, ...values: string[]) =>
      sql
        .exec<{ told: string }>(`SELECT told FROM told WHERE ${where}`, ...values)
        .toArray()
        .map(({ told }) => JSON.parse(told) as Told);
    return {
      get: (key) => all("key = ?", key)[0] ?? null,
      of: (scope) =>
        scopesWithin(scope).flatMap(({ kind, from, until }) =>
          all("kind = ? AND id >= ? AND id < ?", kind, from, until),
        ),
      ofKind: (kind) => all("kind = ?", kind),
      otherwiseZoned: (zone) => all("told ->> '$.limits.timeZone' <> ?", zone),
      put: (told, dropped) => {
        this.#storage.transactionSync(() => {
          for (const each of told) {
            const { kind, id } = each.scope;
            const row = [scopeKey(each.scope), kind, id, JSON.stringify(each)];
            sql.exec("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?)", ...row);
          }
          for (const key of dropped) sql.exec("DELETE FROM told WHERE key = ?", key);
        });
      },
    };
  }

  /** The organization that this object serves; null before its first call. */
  get orgId(): string | null {
    return this.#orgId;
  }

  /** Names the organization of this object in memory; the first one stays. */
  claim(orgId: string): string {
    this.#orgId ??= orgId;
    return this.#orgId;
  }

  load(): { revision: number; pending: Change | null } {
    if (!this.#made) return { revision: 0, pending: null };
    const sql = this.#storage.sql;
    const [state] = sql.exec<{ revision: number }>("SELECT revision FROM org_state").toArray();
    const [intent] = sql.exec<{ change: string }>("SELECT change FROM intent").toArray();
    return {
      revision: state?.revision ?? 0,
      pending: intent ? (JSON.parse(intent.change) as Change) : null,
    };
  }

  storeIntent(change: Change): void {
    const sql = this.#storage.sql;
    this.#storage.transactionSync(() => {
      this.#make();
      sql.exec("INSERT INTO intent VALUES (1, ?)", JSON.stringify(change));
    });
    this.#made = true;
  }

  dropIntent(): void {
    this.#storage.transactionSync(() => this.#storage.sql.exec("DELETE FROM intent"));
  }

  commit(touched: string[], events: AuditRecord[]): number {
    const sql = this.#storage.sql;
    return this.#storage.transactionSync(() => {
      sql.exec("DELETE FROM intent");
      const raise = "UPDATE org_state SET revision = revision + 1 RETURNING revision";
      const { revision } = sql.exec<{ revision: number }>(raise).one();
      sql.exec(
        "INSERT OR IGNORE INTO touched SELECT ?, value FROM json_each(?)",
        revision,
        JSON.stringify(touched),
      );
      if (events.length > 0)
        sql.exec(
          "INSERT INTO outbox (record) SELECT value FROM json_each(?)",
          JSON.stringify(events),
        );
      sql.exec("DELETE FROM touched WHERE revision <= ?", revision - LOG_REVISIONS);
      return revision;
    });
  }

  keepBundle(hash: string, text: string): void {
    const sql = this.#storage.sql;
    this.#storage.transactionSync(() => {
      this.#make();
      sql.exec("INSERT OR IGNORE INTO bundles (hash, text) VALUES (?, ?)", hash, text);
      sql.exec(
        "DELETE FROM bundles WHERE rowid <= (SELECT max(rowid) FROM bundles) - ?",
        KEPT_BUNDLES,
      );
    });
    this.#made = true;
  }

  bundle(hash: string): string | null {
    if (!this.#made) return null;
    const sql = this.#storage.sql;
    const [row] = sql
      .exec<{ text: string }>("SELECT text FROM bundles WHERE hash = ?", hash)
      .toArray();
    return row?.text ?? null;
  }

  #make(): void {
    if (this.#made) return;
    const sql = this.#storage.sql;
    sql.exec(TABLES);
    sql.exec(BUNDLES);
    sql.exec(OUTBOX);
    sql.exec("INSERT OR IGNORE INTO org_state VALUES (1, ?, 0)", this.#orgId);
  }

  outbox(limit: number): { seq: number; record: AuditRecord }[] {
    if (!this.#made) return [];
    const sql = "SELECT seq, record FROM outbox ORDER BY seq LIMIT ?";
    const rows = this.#storage.sql.exec<{ seq: number; record: string }>(sql, limit).toArray();
    return rows.map(({ seq, record }) => ({ seq, record: JSON.parse(record) as AuditRecord }));
  }

  delivered(seqs: number[]): void {
    const sql = "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?))";
    this.#storage.transactionSync(() => this.#storage.sql.exec(sql, JSON.stringify(seqs)));
  }

  touchedSince(revision: number): string[] | null {
    if (!this.#made) return [];
    const sql = this.#storage.sql;
    const now = sql.exec<{ revision: number }>("SELECT revision FROM org_state").one().revision;
    if (revision < now - LOG_REVISIONS) return null;
    const names = "SELECT DISTINCT name FROM touched WHERE revision > ?";
    return [...sql.exec<{ name: string }>(names, revision)].map((row) => row.name);
  }
}

/** Ranges of ids that belong to a scope: its own, its models', and of a team its members'. */
function scopesWithin({ kind, id }: Scope): { kind: ScopeKind; from: string; until: string }[] {
  // The character after the slash ends the range of what begins with it.
  const beneath = (text: string) => ({ from: `${text}/`, until: `${text}0` });
  const own = { kind, from: id, until: `${id}\u0000` };
  const models = { kind: "model" as const, ...beneath(`${kind}:${id}`) };
  if (kind !== "team") return [own, models];
  return [own, models, { kind: "team_member", ...beneath(id) }];
}
