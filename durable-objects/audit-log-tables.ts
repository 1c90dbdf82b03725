/** Columns that tables of an earlier version lack. */
export const ADDED = [{ table: "entries", column: "told", type: "TEXT" }] as const;

/** Everything that a log keeps on disk. `entries.body` is gone once the record is old and lies in its segment. */
export const TABLES = `
  CREATE TABLE IF NOT EXISTS log_state (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    org_id TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS entries (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    keep_until INTEGER NOT NULL,
    request_id TEXT,
    team_id TEXT,
    key_handle TEXT,
    actor TEXT NOT NULL,
    body TEXT,
    record_hash TEXT,
    previous TEXT,
    told TEXT
  );
  CREATE INDEX IF NOT EXISTS entries_time ON entries (at, sequence);
  CREATE INDEX IF NOT EXISTS entries_type ON entries (type, at, sequence);
  CREATE INDEX IF NOT EXISTS entries_event ON entries (event_id);
  CREATE INDEX IF NOT EXISTS entries_request ON entries (request_id) WHERE request_id IS NOT NULL;
  -- Ids of records that are gone, or that an earlier version took.
  CREATE TABLE IF NOT EXISTS seen (event_id TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS open_decisions (
    request_id TEXT PRIMARY KEY,
    due INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    decision TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS open_decisions_due ON open_decisions (due);
  CREATE TABLE IF NOT EXISTS raises (
    event_id TEXT PRIMARY KEY,
    request_id TEXT NOT NULL,
    leases TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS raises_request ON raises (request_id);
  CREATE TABLE IF NOT EXISTS persons (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    salt TEXT NOT NULL,
    pseudonym TEXT NOT NULL,
    PRIMARY KEY (kind, id)
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX IF NOT EXISTS persons_pseudonym ON persons (pseudonym);
  CREATE TABLE IF NOT EXISTS belongings (
    owner_kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (owner_kind, owner, kind, id)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS seal_state (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    size INTEGER NOT NULL,
    state TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS segments (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    name TEXT NOT NULL,
    keep_until INTEGER NOT NULL,
    expired_by INTEGER
  );
  CREATE TABLE IF NOT EXISTS staging (
    place INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    bytes BLOB NOT NULL
  );
  CREATE TABLE IF NOT EXISTS partials (
    name TEXT PRIMARY KEY,
    until TEXT NOT NULL,
    superfluous INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS trimmed (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    done INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS log_keys (
    version INTEGER PRIMARY KEY,
    key_id TEXT NOT NULL,
    announced_at INTEGER NOT NULL,
    retired INTEGER NOT NULL,
    sequence INTEGER NOT NULL
  );`;
