import type { OutboxItem } from "../worker/core/account.ts";
import type { Definition } from "../worker/core/limits.ts";
import type {
  LeaseRow,
  LedgerStorage,
  LedgerTables,
  MessageRow,
  PastRow,
  Rows,
  SettledRow,
  SingleRow,
  SpendRow,
} from "./ledger-rows.ts";

const KEYED = ["spend", "leases", "messages", "settled", "singles", "definitions", "past"] as const;
type Keyed = (typeof KEYED)[number];

const TABLES = [
  ...KEYED.map(
    (name) => `
      CREATE TABLE IF NOT EXISTS ${name} (key TEXT PRIMARY KEY, due INTEGER, row TEXT NOT NULL)
        WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS ${name}_due ON ${name} (due) WHERE due IS NOT NULL;`,
  ),
  `CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY, item TEXT NOT NULL);`,
].join("");

/** Rows that stay in memory, of those tables whose rows are used again and again. */
const HOT_ROWS = 5_000;
const HOT: readonly Keyed[] = ["spend", "leases", "messages", "definitions", "past"];

/** What waits to leave stays in memory as well, up to so many items. */
const HOT_ITEMS = 2_000;

/** Items of an outbox that go into one statement; a bound value may have 2 MB. */
const APPEND_ROWS = 64;

/**
 * A ledger's part of an object's SQLite: rows as JSON beside their key and the time at which they want attention. A
 * transaction reads each row once and writes each changed one once, in a statement per table (PLATFORM 10), however
 * many messages it works through. The object is the only writer, so rows in use stay in memory. Nothing is written before
 * the first mutation, not even a table.
 */
export class LedgerSqlite implements LedgerStorage {
  readonly #storage: DurableObjectStorage;
  /** Committed rows by table and key. */
  readonly #hot = new Map<Keyed, Map<string, unknown>>(HOT.map((table) => [table, new Map()]));
  /** All that is in the outbox; null where that is not known, or too much. */
  #waiting: OutboxItem[] | null = null;
  #made: boolean;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    const made = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'past'";
    this.#made = storage.sql.exec(made).toArray().length > 0;
  }

  transact<T>(work: (tables: LedgerTables) => T): T {
    const { sql } = this.#storage;
    const tables = new Transaction(sql, this.#hot);
    const result = this.#storage.transactionSync(() => {
      if (!this.#made) sql.exec(TABLES);
      const value = work(tables);
      tables.flush();
      return value;
    });
    this.#made = true;
    const appended = tables.committed();
    this.#waiting?.push(...appended);
    if ((this.#waiting?.length ?? 0) > HOT_ITEMS) this.#waiting = null;
    return result;
  }

  spendRow(key: string): SpendRow | null {
    if (!this.#made) return null;
    return new CachedRows<SpendRow>(this.#storage.sql, "spend", this.#hot.get("spend")).get(key);
  }

  definition(key: string): Definition | null {
    if (!this.#made) return null;
    const hot = this.#hot.get("definitions");
    return new CachedRows<Definition>(this.#storage.sql, "definitions", hot).get(key);
  }

  nextDue(): number | null {
    if (!this.#made) return null;
    // One column for each table: the platform allows few terms in a compound query.
    const mins = KEYED.map((name) => `(SELECT min(due) FROM ${name} WHERE due IS NOT NULL)`);
    const query = `SELECT ${mins.map((min, at) => `${min} AS due${at}`).join(", ")}`;
    const dues = Object.values(this.#storage.sql.exec<Record<string, number | null>>(query).one());
    const some = dues.filter((due) => due !== null);
    return some.length === 0 ? null : Math.min(...some);
  }

  outbox(limit: number): OutboxItem[] {
    if (!this.#made) return [];
    if (this.#waiting !== null) return this.#waiting.slice(0, limit);
    const query = "SELECT item FROM outbox ORDER BY seq LIMIT ?";
    const found = this.#storage.sql.exec<{ item: string }>(query, limit).toArray();
    const items = found.map(({ item }) => JSON.parse(item) as OutboxItem);
    if (items.length < limit) this.#waiting = [...items];
    return items;
  }

  dropOutbox(seqs: number[]): void {
    if (seqs.length === 0) return;
    const drop = "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?))";
    this.#storage.transactionSync(() => this.#storage.sql.exec(drop, JSON.stringify(seqs)));
    const gone = new Set(seqs);
    this.#waiting &&= this.#waiting.filter(({ seq }) => !gone.has(seq));
  }
}

class Transaction implements LedgerTables {
  readonly spend;
  readonly leases;
  readonly messages;
  readonly settled;
  readonly singles;
  readonly definitions;
  readonly past;
  readonly #sql: SqlStorage;
  readonly #numbers = new Map<string, number>();
  readonly #outbox: OutboxItem[] = [];

  constructor(sql: SqlStorage, hot: ReadonlyMap<Keyed, Map<string, unknown>>) {
    this.#sql = sql;
    this.spend = new CachedRows<SpendRow>(sql, "spend", hot.get("spend"));
    this.leases = new CachedRows<LeaseRow>(sql, "leases", hot.get("leases"));
    this.messages = new CachedRows<MessageRow>(sql, "messages", hot.get("messages"));
    this.settled = new CachedRows<SettledRow>(sql, "settled", hot.get("settled"));
    this.singles = new CachedRows<SingleRow>(sql, "singles", hot.get("singles"));
    this.definitions = new CachedRows<Definition>(sql, "definitions", hot.get("definitions"));
    this.past = new CachedRows<PastRow>(sql, "past", hot.get("past"));
  }

  get #all() {
    const { spend, leases, messages, settled, singles, definitions, past } = this;
    return [spend, leases, messages, settled, singles, definitions, past];
  }

  next(name: "lease" | "outbox"): number {
    const query = "SELECT last FROM numbers WHERE name = ?";
    const last =
      this.#numbers.get(name) ??
      this.#sql.exec<{ last: number }>(query, name).toArray()[0]?.last ??
      0;
    this.#numbers.set(name, last + 1);
    return last + 1;
  }

  append(item: OutboxItem): void {
    this.#outbox.push(item);
  }

  flush(): void {
    for (const rows of this.#all) rows.flush();
    for (const [name, last] of this.#numbers) {
      this.#sql.exec("INSERT OR REPLACE INTO numbers VALUES (?, ?)", name, last);
    }
    for (let at = 0; at < this.#outbox.length; at += APPEND_ROWS) {
      const items = this.#outbox.slice(at, at + APPEND_ROWS);
      const append =
        "INSERT INTO outbox SELECT value ->> 'seq', value FROM json_each(?) WHERE true";
      this.#sql.exec(append, JSON.stringify(items));
    }
  }

  /** The rows that were changed are the truth from now on; answers what was put into the outbox. */
  committed(): OutboxItem[] {
    for (const rows of this.#all) rows.committed();
    return this.#outbox;
  }
}

interface Changed<T> {
  row: T | null;
  due: number | null;
}

/** Rows of one table as one transaction sees them. */
class CachedRows<T> implements Rows<T> {
  readonly #sql: SqlStorage;
  readonly #table: Keyed;
  readonly #hot: Map<string, unknown> | undefined;
  readonly #changed = new Map<string, Changed<T>>();
  /** Read in this transaction, of tables whose rows do not stay. */
  readonly #read = new Map<string, T | null>();

  constructor(sql: SqlStorage, table: Keyed, hot: Map<string, unknown> | undefined) {
    this.#sql = sql;
    this.#table = table;
    this.#hot = hot;
  }

  get(key: string): T | null {
    const changed = this.#changed.get(key);
    if (changed) return changed.row;
    const known = (this.#hot ?? this.#read).get(key);
    if (known !== undefined) return known as T | null;
    const query = `SELECT row FROM ${this.#table} WHERE key = ?`;
    const [found] = this.#sql.exec<{ row: string }>(query, key).toArray();
    const row = found ? (JSON.parse(found.row) as T) : null;
    this.#keep(key, row);
    return row;
  }

  load(keys: string[]): void {
    const query = `SELECT key, row FROM ${this.#table} WHERE key IN (SELECT value FROM json_each(?))`;
    const found = this.#sql.exec<{ key: string; row: string }>(query, JSON.stringify(keys));
    for (const key of keys) this.#keep(key, null);
    for (const { key, row } of found.toArray()) this.#keep(key, JSON.parse(row) as T);
  }

  put(key: string, row: T, due: number | null): void {
    this.#changed.set(key, { row, due });
  }

  drop(key: string): void {
    this.#changed.set(key, { row: null, due: null });
  }

  between(from: string, to: string): T[] {
    const query = `SELECT key, row FROM ${this.#table} WHERE key >= ? AND key < ?`;
    const found = this.#sql.exec<{ key: string; row: string }>(query, from, to);
    const rows = new Map<string, T | null>(
      found.toArray().map(({ key, row }) => [key, JSON.parse(row) as T]),
    );
    for (const [key, { row }] of this.#changed) {
      if (key >= from && key < to) rows.set(key, row);
    }
    return [...rows.values()].filter((row) => row !== null);
  }

  due(now: number, limit: number): string[] {
    const query = `SELECT key FROM ${this.#table} WHERE due <= ? ORDER BY due LIMIT ?`;
    return this.#sql
      .exec<{ key: string }>(query, now, limit)
      .toArray()
      .map(({ key }) => key);
  }

  flush(): void {
    const put: [key: string, due: number | null, row: T][] = [];
    const dropped: string[] = [];
    for (const [key, { row, due }] of this.#changed) {
      if (row === null) dropped.push(key);
      else put.push([key, due, row]);
    }
    if (put.length > 0) {
      this.#sql.exec(
        `INSERT INTO ${this.#table}
          SELECT value ->> 0, value ->> 1, value -> 2 FROM json_each(?) WHERE true
          ON CONFLICT (key) DO UPDATE SET due = excluded.due, row = excluded.row`,
        JSON.stringify(put),
      );
    }
    if (dropped.length > 0) {
      const drop = `DELETE FROM ${this.#table} WHERE key IN (SELECT value FROM json_each(?))`;
      this.#sql.exec(drop, JSON.stringify(dropped));
    }
  }

  /** What was changed is the truth from now on. */
  committed(): void {
    for (const [key, { row }] of this.#changed) this.#keep(key, row);
  }

  #keep(key: string, row: T | null): void {
    if (this.#hot !== undefined && this.#hot.size >= HOT_ROWS) this.#hot.clear();
    (this.#hot ?? this.#read).set(key, row);
  }
}
