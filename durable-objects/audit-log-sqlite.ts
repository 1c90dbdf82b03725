import type { AuditQuery } from "../worker/core/audit.ts";
import { OUTCOMES } from "../worker/core/audit.ts";
import { toldBy } from "../worker/core/audit-told.ts";
import type { PersonKind } from "../worker/core/sealed-log/pseudonyms.ts";
import type { AuditLogStorage, Due, People, Position, Stored } from "./audit-log-machine.ts";
import { ADDED, TABLES } from "./audit-log-tables.ts";
import type { Row } from "./audit-row.ts";

const ENDS = [...OUTCOMES].map((type) => `'${type}'`).join(", ");

// The rows come as one JSON parameter, since an object's SQLite binds no more than 100 (PLATFORM 10), and each as a list,
// whose members SQLite finds without comparing names. An id is seen where its record is, or was.
const APPEND = `
  INSERT INTO entries
    (event_id, type, at, keep_until, request_id, team_id, key_handle, actor, body, told)
  SELECT item.value ->> 0, item.value ->> 1, item.value ->> 2, item.value ->> 3, item.value ->> 4,
    item.value ->> 5, item.value ->> 6, item.value ->> 7, item.value ->> 8, item.value ->> 9
  FROM json_each(?) AS item
  WHERE NOT EXISTS (SELECT 1 FROM entries WHERE event_id = item.value ->> 0)
    AND NOT EXISTS (SELECT 1 FROM seen WHERE event_id = item.value ->> 0)
  ORDER BY item.key`;

const ended = (requestId: string) => `EXISTS (
    SELECT 1 FROM entries AS known WHERE known.request_id = ${requestId} AND known.type IN (${ENDS})
  )`;

// Records come in any order: a decision that is late does not open what its outcome has closed.
const OPEN = `
  INSERT OR IGNORE INTO open_decisions (request_id, due, tries, decision)
  SELECT item.value ->> 0, item.value ->> 1, 0, item.value ->> 2
  FROM json_each(?) AS item WHERE NOT ${ended("item.value ->> 0")}`;

const RAISE = `
  INSERT OR IGNORE INTO raises (event_id, request_id, leases)
  SELECT item.value ->> 0, item.value ->> 1, item.value ->> 2
  FROM json_each(?) AS item WHERE NOT ${ended("item.value ->> 1")}`;

const LOWER = "DELETE FROM raises WHERE request_id IN (SELECT value FROM json_each(?))";
const CLOSE = "DELETE FROM open_decisions WHERE request_id IN (SELECT value FROM json_each(?))";

const PERSONS = `
  INSERT OR IGNORE INTO persons
  SELECT item.value ->> 'kind', item.value ->> 'id', item.value ->> 'salt', item.value ->> 'pseudonym'
  FROM json_each(?) AS item`;

const BELONGINGS = `
  INSERT OR IGNORE INTO belongings
  SELECT item.value ->> 'ownerKind', item.value ->> 'owner', item.value ->> 'kind', item.value ->> 'id'
  FROM json_each(?) AS item`;

// A person, and whatever was on record as its own.
const UNLINK = `
  DELETE FROM persons WHERE (kind = ?1 AND id = ?2) OR (kind, id) IN (
    SELECT kind, id FROM belongings WHERE owner_kind = ?1 AND owner = ?2
  ) RETURNING 1`;

const DUE = `
  SELECT decision, tries, (
    SELECT json_group_array(json(leases)) FROM raises WHERE raises.request_id = open_decisions.request_id
  ) AS raises
  FROM open_decisions WHERE due <= ? ORDER BY due LIMIT ?`;

const POSTPONE = `
  UPDATE open_decisions SET tries = tries + 1, due = later.value ->> 'due'
  FROM json_each(?) AS later WHERE request_id = later.value ->> 'requestId'`;

/** People whose pseudonyms stay in memory. */
const HOT_PERSONS = 5_000;

/** Administrative events: everything that is neither about a request nor about the log itself. */
const CHANGES = "type NOT LIKE 'request.%' AND type NOT LIKE 'audit.%'";

/** The log's part of an object's SQLite. Nothing is written before the first record, not even a table. */
export class AuditLogSqlite implements AuditLogStorage {
  readonly #storage: DurableObjectStorage;
  /** Of the people who appear again and again; nobody but this object gives or unlinks pseudonyms. */
  readonly #pseudonyms = new Map<string, string>();
  #made: boolean;
  #orgId: string | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    const tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'entries'";
    this.#made = storage.sql.exec(tables).toArray().length > 0;
    if (this.#made) {
      // A log that an earlier version made lacks what has been added since.
      storage.sql.exec(TABLES);
      for (const { table, column, type } of ADDED) {
        const columns = "SELECT 1 FROM pragma_table_info(?) WHERE name = ?";
        if (storage.sql.exec(columns, table, column).toArray().length > 0) continue;
        storage.sql.exec(`ALTER TABLE ${table} ADD COLUMN ${column} ${type}`);
      }
      const [row] = storage.sql.exec<{ org_id: string }>("SELECT org_id FROM log_state").toArray();
      this.#orgId = row?.org_id ?? null;
    }
  }

  /** The organization whose log this is; null before its first record. */
  get orgId(): string | null {
    return this.#orgId;
  }

  /** False before its first record: then there are no tables. */
  get made(): boolean {
    return this.#made;
  }

  append(orgId: string, rows: Row[], { persons, belongings }: People): void {
    this.#storage.transactionSync(() => {
      if (!this.#made) {
        this.#storage.sql.exec(TABLES);
        this.#storage.sql.exec("INSERT OR IGNORE INTO log_state VALUES (1, ?)", orgId);
      }
      this.insert(rows);
      if (persons.length > 0) this.#storage.sql.exec(PERSONS, JSON.stringify(persons));
      if (belongings.length > 0) this.#storage.sql.exec(BELONGINGS, JSON.stringify(belongings));
    });
    this.#made = true;
    this.#orgId ??= orgId;
  }

  /** The same for rows of our own, within a transaction that the caller has begun. */
  insert(rows: Row[]): void {
    const { sql } = this.#storage;
    // The statements look at what was there before them: within one call an id may come only once.
    const byId = new Map<string, Row>();
    for (const row of rows) if (!byId.has(row.eventId)) byId.set(row.eventId, row);
    const all = [...byId.values()];
    sql.exec(APPEND, JSON.stringify(all.map(entryOf)));
    const opened = all.filter(({ due, requestId }) => due !== null && requestId !== null);
    if (opened.length > 0) {
      const open = opened.map(({ requestId, due, decision }) => [requestId, due, decision]);
      sql.exec(OPEN, JSON.stringify(open));
    }
    const raised = all.filter(({ raise, requestId }) => raise !== null && requestId !== null);
    if (raised.length > 0) {
      const raises = raised.map(({ eventId, requestId, raise }) => [eventId, requestId, raise]);
      sql.exec(RAISE, JSON.stringify(raises));
    }
    const closed = all.flatMap(({ ends, requestId }) => (ends && requestId ? [requestId] : []));
    if (closed.length > 0) {
      sql.exec(CLOSE, JSON.stringify(closed));
      sql.exec(LOWER, JSON.stringify(closed));
    }
  }

  pseudonym(kind: PersonKind, id: string): string | null {
    if (!this.#made) return null;
    const key = `${kind}:${id}`;
    const known = this.#pseudonyms.get(key);
    if (known !== undefined) return known;
    const sql = "SELECT pseudonym FROM persons WHERE kind = ? AND id = ?";
    const [row] = this.#storage.sql.exec<{ pseudonym: string }>(sql, kind, id).toArray();
    if (row === undefined) return null;
    if (this.#pseudonyms.size >= HOT_PERSONS) this.#pseudonyms.clear();
    this.#pseudonyms.set(key, row.pseudonym);
    return row.pseudonym;
  }

  /** Who stands behind pseudonyms, as far as that is still known. */
  persons(pseudonyms: string[]): Map<string, string> {
    if (!this.#made || pseudonyms.length === 0) return new Map();
    const sql = `SELECT pseudonym, id FROM persons
      WHERE pseudonym IN (SELECT value FROM json_each(?))`;
    const rows = this.#storage.sql.exec<{ pseudonym: string; id: string }>(
      sql,
      JSON.stringify(pseudonyms),
    );
    return new Map(rows.toArray().map(({ pseudonym, id }) => [pseudonym, id]));
  }

  /** Forgets for ever who stands behind a person's pseudonyms; false where nobody does. */
  unlink(kind: PersonKind, id: string): boolean {
    if (!this.#made) return false;
    this.#pseudonyms.clear();
    const { sql } = this.#storage;
    return this.#storage.transactionSync(() => {
      const gone = sql.exec(UNLINK, kind, id).toArray().length > 0;
      sql.exec("DELETE FROM belongings WHERE owner_kind = ? AND owner = ?", kind, id);
      sql.exec("DELETE FROM belongings WHERE kind = ? AND id = ?", kind, id);
      return gone;
    });
  }

  list(query: Omit<AuditQuery, "cursor">, after: Position | null, limit: number): Stored[] {
    if (!this.#made) return [];
    const { where, bound } = conditions(query);
    const ascending = query.order === "asc";
    if (after) {
      where.push(`(at, sequence) ${ascending ? ">" : "<"} (?, ?)`);
      bound.push(after.at, after.sequence);
    }
    const direction = ascending ? "ASC" : "DESC";
    const { afterSequence } = query;
    if (afterSequence !== undefined) {
      where.push("sequence > ?");
      bound.push(afterSequence);
    }
    const order =
      afterSequence === undefined ? `at ${direction}, sequence ${direction}` : "sequence ASC";
    const sql = `SELECT sequence, at, event_id AS eventId, body, record_hash AS recordHash, previous,
      told
      FROM entries WHERE ${where.join(" AND ")}
      ORDER BY ${order} LIMIT ? OFFSET ?`;
    const found = this.#storage.sql.exec(sql, ...bound, limit, query.offset ?? 0);
    return found.toArray() as unknown as Stored[];
  }

  count(query: AuditQuery): number {
    if (!this.#made) return 0;
    const { where, bound } = conditions(query);
    const sql = `SELECT count(*) AS total FROM entries WHERE ${where.join(" AND ")}`;
    return this.#storage.sql.exec<{ total: number }>(sql, ...bound).one().total;
  }

  due(now: number, limit: number): Due[] {
    if (!this.#made) return [];
    return this.#storage.sql.exec<{ [K in keyof Due]: Due[K] }>(DUE, now, limit).toArray();
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

  /** How many records there are, how many of them are sealed, and whether objects wait to be written. */
  extent(): { records: number; sealed: number; staged: boolean } {
    if (!this.#made) return { records: 0, sealed: 0, staged: false };
    const sql = `SELECT ifnull((SELECT max(sequence) FROM entries), 0) AS records,
      ifnull((SELECT size FROM seal_state), 0) AS sealed,
      EXISTS (SELECT 1 FROM staging) AS staged`;
    const row = this.#storage.sql.exec(sql).one();
    return {
      records: Number(row["records"]),
      sealed: Number(row["sealed"]),
      staged: row["staged"] === 1,
    };
  }

  forget(before: string): void {
    if (!this.#made) return;
    const { sql } = this.#storage;
    this.#storage.transactionSync(() => {
      sql.exec("DELETE FROM seen WHERE event_id < ?", before);
      sql.exec("DELETE FROM raises WHERE event_id < ?", before);
    });
  }
}

/** The columns of a record's entry, in the order of `APPEND`. */
function entryOf(row: Row) {
  const { eventId, type, at, keepUntil, requestId, teamId, keyHandle, actor, body, told } = row;
  return [eventId, type, at, keepUntil, requestId, teamId, keyHandle, actor, body, told];
}

/** What a query asks of a row, whichever page of it. */
function conditions(query: AuditQuery): { where: string[]; bound: (string | number)[] } {
  const where = ["at >= ?", "at < ?"];
  const bound: (string | number)[] = [query.from ?? 0, query.to ?? Number.MAX_SAFE_INTEGER];
  const equal = {
    request_id: query.requestId,
    team_id: query.teamId,
    key_handle: query.keyHandle,
    actor: query.actor,
    event_id: query.eventId,
  };
  for (const [column, value] of Object.entries(equal)) {
    if (value === undefined) continue;
    where.push(`${column} = ?`);
    bound.push(value);
  }
  const { type } = query;
  const types = type === undefined ? null : toldBy(type);
  if (types !== null) {
    where.push(`type IN (${types.map(() => "?").join(", ")}) AND told LIKE ?`);
    bound.push(...types, `%,${type},%`);
  } else if (type !== undefined) {
    where.push("type = ?");
    bound.push(type);
  }
  if (query.changes === true) where.push(CHANGES);
  return { where, bound };
}
