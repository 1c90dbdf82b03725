import type { AuditLogStorage, Position, Row, Stored } from "./audit-log-machine.ts";
import type { AuditQuery } from "../worker/core/audit.ts";
import { DECISION, OUTCOMES } from "../worker/core/audit.ts";

const TABLES = `
  CREATE TABLE IF NOT EXISTS log_state (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    org_id TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS records (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    request_id TEXT,
    body TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS records_time ON records (at, sequence);
  CREATE INDEX IF NOT EXISTS records_type ON records (type, at, sequence);
  CREATE INDEX IF NOT EXISTS records_request ON records (request_id) WHERE request_id IS NOT NULL;
  CREATE TABLE IF NOT EXISTS seen (event_id TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS open_decisions (
    request_id TEXT PRIMARY KEY,
    due INTEGER NOT NULL,
    tries INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS open_decisions_due ON open_decisions (due);`;

const ENDS = [...OUTCOMES].map((type) => `'${type}'`).join(", ");

// The rows come as one JSON parameter, since an object's SQLite binds no more than 100 (PLATFORM 10).
const APPEND = `
  INSERT INTO records (event_id, type, at, request_id, body)
  SELECT item.value ->> 'eventId', item.value ->> 'type', item.value ->> 'at',
    item.value ->> 'requestId', item.value ->> 'body'
  FROM json_each(?) AS item
  WHERE NOT EXISTS (SELECT 1 FROM seen WHERE event_id = item.value ->> 'eventId')
  ORDER BY item.key`;

const REMEMBER = `
  INSERT OR IGNORE INTO seen SELECT item.value ->> 'eventId' FROM json_each(?) AS item`;

// Records come in any order: a decision that is late does not open what its outcome has closed.
const OPEN = `
  INSERT OR IGNORE INTO open_decisions (request_id, due, tries)
  SELECT item.value ->> 'requestId', item.value ->> 'due', 0 FROM json_each(?) AS item
  WHERE item.value ->> 'due' IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM records AS known
    WHERE known.request_id = item.value ->> 'requestId' AND known.type IN (${ENDS})
  )`;

const CLOSE = `
  DELETE FROM open_decisions WHERE request_id IN (
    SELECT item.value ->> 'requestId' FROM json_each(?) AS item WHERE item.value ->> 'ends'
  )`;

const DUE = `
  SELECT body, tries FROM open_decisions JOIN records USING (request_id)
  WHERE due <= ? AND type = '${DECISION}' GROUP BY request_id ORDER BY due LIMIT ?`;

const POSTPONE = `
  UPDATE open_decisions SET tries = tries + 1, due = later.value ->> 'due'
  FROM json_each(?) AS later WHERE request_id = later.value ->> 'requestId'`;

/** The log's part of an object's SQLite. Nothing is written before the first record, not even a table. */
export class AuditLogSqlite implements AuditLogStorage {
  readonly #storage: DurableObjectStorage;
  #made: boolean;
  #orgId: string | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    const tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'log_state'";
    this.#made = storage.sql.exec(tables).toArray().length > 0;
    if (this.#made) {
      const [row] = storage.sql.exec<{ org_id: string }>("SELECT org_id FROM log_state").toArray();
      this.#orgId = row?.org_id ?? null;
    }
  }

  /** The organization whose log this is; null before its first record. */
  get orgId(): string | null {
    return this.#orgId;
  }

  append(orgId: string, rows: Row[]): void {
    const { sql } = this.#storage;
    // The statements look at what was there before them: within one call an id may come only once.
    const byId = new Map<string, Row>();
    for (const row of rows) if (!byId.has(row.eventId)) byId.set(row.eventId, row);
    const all = [...byId.values()];
    const json = JSON.stringify(all);
    this.#storage.transactionSync(() => {
      if (!this.#made) {
        sql.exec(TABLES);
        sql.exec("INSERT OR IGNORE INTO log_state VALUES (1, ?)", orgId);
      }
      sql.exec(APPEND, json);
      sql.exec(REMEMBER, json);
      if (all.some((row) => row.due !== null)) sql.exec(OPEN, json);
      if (all.some((row) => row.ends)) sql.exec(CLOSE, json);
    });
    this.#made = true;
    this.#orgId ??= orgId;
  }

  list(query: Omit<AuditQuery, "cursor">, before: Position | null, limit: number): Stored[] {
    if (!this.#made) return [];
    const where = ["at >= ?", "at < ?"];
    const bound: (string | number)[] = [query.from ?? 0, query.to ?? Number.MAX_SAFE_INTEGER];
    if (query.type !== undefined) {
      where.push("type = ?");
      bound.push(query.type);
    }
    if (query.requestId !== undefined) {
      where.push("request_id = ?");
      bound.push(query.requestId);
    }
    if (before) {
      where.push("(at, sequence) < (?, ?)");
      bound.push(before.at, before.sequence);
    }
    const sql = `SELECT sequence, body FROM records WHERE ${where.join(" AND ")}
      ORDER BY at DESC, sequence DESC LIMIT ?`;
    const rows = this.#storage.sql.exec<{ sequence: number; body: string }>(sql, ...bound, limit);
    return rows.toArray();
  }

  due(now: number, limit: number): { body: string; tries: number }[] {
    if (!this.#made) return [];
    const { sql } = this.#storage;
    return sql.exec<{ body: string; tries: number }>(DUE, now, limit).toArray();
  }

  postpone(decisions: { requestId: string; due: number }[]): void {
    const json = JSON.stringify(decisions);
    this.#storage.transactionSync(() => this.#storage.sql.exec(POSTPONE, json));
  }

  nextDue(): number | null {
    if (!this.#made) return null;
    const sql = "SELECT min(due) AS due FROM open_decisions";
    return this.#storage.sql.exec<{ due: number | null }>(sql).one().due;
  }

  forget(before: string): void {
    if (!this.#made) return;
    const { sql } = this.#storage;
    this.#storage.transactionSync(() => sql.exec("DELETE FROM seen WHERE event_id < ?", before));
  }

  remembers(): boolean {
    if (!this.#made) return false;
    return this.#storage.sql.exec("SELECT 1 FROM seen LIMIT 1").toArray().length > 0;
  }
}
