import { fromHex, toHex } from "../worker/core/bytes.ts";
import { HEAD } from "../worker/core/sealed-log/layout.ts";
import { segmentLines } from "../worker/core/sealed-log/segment.ts";
import { packHashes, unpackHashes } from "../worker/core/sealed-log/tiles.ts";
import type { RetentionStorage } from "./audit-retention.ts";
import type { AuditLogSqlite } from "./audit-log-sqlite.ts";
import type { OwnEvent, Row } from "./audit-row.ts";
import type {
  LoggedKey,
  PendingRecord,
  Sealed,
  SealedObject,
  SealState,
  SealStorage,
} from "./audit-sealer.ts";

const MARK = `
  UPDATE entries SET record_hash = leaf.value ->> 'hash', previous = leaf.value ->> 'previous'
  FROM json_each(?) AS leaf WHERE sequence = leaf.value ->> 'sequence'`;

/** What sealing keeps in the log's SQLite. */
export class AuditSealSqlite implements SealStorage, RetentionStorage {
  readonly #log: AuditLogSqlite;
  readonly #storage: DurableObjectStorage;
  readonly #own: (event: OwnEvent) => Row;

  /** `own` makes the row of a record that the log writes about itself. */
  constructor(log: AuditLogSqlite, storage: DurableObjectStorage, own: (event: OwnEvent) => Row) {
    this.#log = log;
    this.#storage = storage;
    this.#own = own;
  }

  state(): SealState | null {
    if (!this.#log.made) return null;
    const [row] = this.#storage.sql
      .exec<{ state: string }>("SELECT state FROM seal_state")
      .toArray();
    return row === undefined ? null : readState(row.state);
  }

  pending(after: number, count: number, chars: number): PendingRecord[] {
    if (!this.#log.made) return [];
    const sql = `SELECT sequence, event_id AS eventId, type, body, keep_until AS keepUntil
      FROM entries WHERE sequence > ? ORDER BY sequence LIMIT ?`;
    const found = this.#storage.sql.exec(sql, after, count).toArray();
    const rows: PendingRecord[] = [];
    let size = 0;
    for (const row of found as unknown as PendingRecord[]) {
      size += row.body.length;
      if (rows.length > 0 && size > chars) break;
      rows.push(row);
    }
    return rows;
  }

  records(): number {
    return this.#log.extent().records;
  }

  commit({ state, objects, leaves, segment, at }: Sealed): void {
    const { sql } = this.#storage;
    const marks = leaves.map(({ sequence, recordHash, previous }) => ({
      sequence,
      hash: toHex(recordHash),
      previous: toHex(previous),
    }));
    this.#storage.transactionSync(() => {
      sql.exec("INSERT OR REPLACE INTO seal_state VALUES (1, ?, ?)", state.size, stateText(state));
      sql.exec(MARK, JSON.stringify(marks));
      const { first, last, name, keepUntil } = segment;
      sql.exec("INSERT INTO segments VALUES (?, ?, ?, ?, NULL)", first, last, name, keepUntil);
      for (const { name: object, bytes, until } of objects) {
        sql.exec("INSERT INTO staging (name, bytes) VALUES (?, ?)", object, bound(bytes));
        if (until !== undefined)
          sql.exec("INSERT OR IGNORE INTO partials (name, until) VALUES (?, ?)", object, until);
      }
      const head = bound(new TextEncoder().encode(state.checkpoint));
      sql.exec("INSERT INTO staging (name, bytes) VALUES (?, ?)", HEAD, head);
      const full = JSON.stringify(objects.map((object) => object.name));
      sql.exec(
        "UPDATE partials SET superfluous = ? WHERE until IN (SELECT value FROM json_each(?))",
        at,
        full,
      );
    });
  }

  staged(): SealedObject[] {
    if (!this.#log.made) return [];
    const rows = this.#storage.sql.exec<{ name: string; bytes: ArrayBuffer }>(
      "SELECT name, bytes FROM staging ORDER BY place",
    );
    return rows.toArray().map(({ name, bytes }) => ({ name, bytes: new Uint8Array(bytes) }));
  }

  unstage(): void {
    this.#storage.transactionSync(() => this.#storage.sql.exec("DELETE FROM staging"));
  }

  superfluous(before: number): string[] {
    if (!this.#log.made) return [];
    const sql = "SELECT name FROM partials WHERE superfluous > 0 AND superfluous < ? LIMIT 1000";
    return this.#storage.sql
      .exec<{ name: string }>(sql, before)
      .toArray()
      .map(({ name }) => name);
  }

  forgetSuperfluous(names: string[]): void {
    const sql = "DELETE FROM partials WHERE name IN (SELECT value FROM json_each(?))";
    this.#storage.transactionSync(() => this.#storage.sql.exec(sql, JSON.stringify(names)));
  }

  /** The canonical text of a record out of its segment; null where that is gone. */
  async archived(
    sequence: number,
    archive: { read: (name: string) => Promise<Uint8Array | null> },
  ): Promise<string | null> {
    const sql = "SELECT first, name FROM segments WHERE first <= ? ORDER BY first DESC LIMIT 1";
    const [row] = this.#storage.sql.exec<{ first: number; name: string }>(sql, sequence).toArray();
    const bytes = row === undefined ? null : await archive.read(row.name);
    if (row === undefined || bytes === null) return null;
    return (await segmentLines(bytes))[sequence - row.first] ?? null;
  }

  /** Segments that hold records of a range and are still there. */
  segments(from: number, to: number): { first: number; last: number }[] {
    if (!this.#log.made) return [];
    const sql = `SELECT first, last FROM segments
      WHERE last >= ? AND first <= ? AND expired_by IS NULL ORDER BY first`;
    return this.#storage.sql.exec<{ first: number; last: number }>(sql, from, to).toArray();
  }

  keys(): LoggedKey[] {
    const sql = `SELECT version, key_id AS keyId, announced_at AS announcedAt, retired, sequence
      FROM log_keys ORDER BY version`;
    const rows = this.#storage.sql.exec<KeyRow>(sql).toArray();
    return rows.map((row) => ({ ...row, retired: row.retired === 1 }));
  }

  expiring(now: number, limit: number): SealedSegment[] {
    if (!this.#log.made) return [];
    const sql = `SELECT first, last, name FROM segments
      WHERE expired_by IS NULL AND keep_until < ? ORDER BY first LIMIT ?`;
    return this.#storage.sql.exec<SealedSegment>(sql, now, limit).toArray();
  }

  expire(first: number, last: number, event: OwnEvent): void {
    this.#storage.transactionSync(() => {
      this.#log.insert([this.#own(event)]);
      const sql = `UPDATE segments SET expired_by = (SELECT max(sequence) FROM entries)
        WHERE first >= ? AND last <= ? AND expired_by IS NULL`;
      this.#storage.sql.exec(sql, first, last);
    });
  }

  expired(before: number, limit: number): SealedSegment[] {
    if (!this.#log.made) return [];
    const sql = `SELECT first, last, name FROM segments JOIN entries ON sequence = expired_by
      WHERE expired_by <= (SELECT size FROM seal_state) AND at <= ? ORDER BY first LIMIT ?`;
    return this.#storage.sql.exec<SealedSegment>(sql, before, limit).toArray();
  }

  forgetSegments(segments: SealedSegment[]): void {
    const { sql } = this.#storage;
    this.#storage.transactionSync(() => {
      for (const { first, last } of segments) {
        // Ids that are still young are known without their records.
        const ids = "SELECT event_id FROM entries WHERE sequence BETWEEN ? AND ?";
        sql.exec(`INSERT OR IGNORE INTO seen ${ids}`, first, last);
        sql.exec("DELETE FROM entries WHERE sequence BETWEEN ? AND ?", first, last);
        sql.exec("DELETE FROM segments WHERE first = ?", first);
      }
    });
  }

  removes(): boolean {
    if (!this.#log.made) return false;
    const sql = `SELECT EXISTS (SELECT 1 FROM segments WHERE expired_by IS NOT NULL)
      OR EXISTS (SELECT 1 FROM partials WHERE superfluous > 0) AS waits`;
    return this.#storage.sql.exec<{ waits: number }>(sql).one().waits === 1;
  }

  trim(before: number, limit: number): number {
    if (!this.#log.made) return 0;
    const { sql } = this.#storage;
    // Texts go in the order of the log, so that nothing has to be looked for; a young record among old ones waits.
    const next = `WITH mark AS (SELECT ifnull((SELECT done FROM trimmed), 0) AS done)
      SELECT sequence, at FROM entries, mark
      WHERE sequence > done AND sequence <= ifnull((SELECT size FROM seal_state), 0)
      ORDER BY sequence LIMIT ?`;
    return this.#storage.transactionSync(() => {
      const rows = sql.exec<{ sequence: number; at: number }>(next, limit).toArray();
      const end = rows.findIndex(({ at }) => at >= before);
      const old = end < 0 ? rows : rows.slice(0, end);
      const [first, last] = [old[0], old.at(-1)];
      if (first === undefined || last === undefined) return 0;
      const text = "UPDATE entries SET body = NULL WHERE sequence BETWEEN ? AND ?";
      sql.exec(text, first.sequence, last.sequence);
      sql.exec("INSERT OR REPLACE INTO trimmed VALUES (1, ?)", last.sequence);
      return old.length;
    });
  }

  announce(key: Omit<LoggedKey, "sequence">, event: OwnEvent): void {
    const { sql } = this.#storage;
    this.#storage.transactionSync(() => {
      this.#log.insert([this.#own(event)]);
      sql.exec(
        "INSERT INTO log_keys SELECT ?, ?, ?, 0, max(sequence) FROM entries",
        key.version,
        key.keyId,
        key.announcedAt,
      );
    });
  }

  retire(version: number, event: OwnEvent): void {
    this.#storage.transactionSync(() => {
      this.#log.insert([this.#own(event)]);
      this.#storage.sql.exec("UPDATE log_keys SET retired = 1 WHERE version = ?", version);
    });
  }
}

type KeyRow = { [K in keyof LoggedKey]: LoggedKey[K] extends string ? string : number };

type SealedSegment = { first: number; last: number; name: string };

/** A blob as both SQLites take it. */
function bound(bytes: Uint8Array): ArrayBuffer {
  return bytes as unknown as ArrayBuffer;
}

function stateText({ chain, levels, ...state }: SealState): string {
  const hex = levels.map((hashes) => toHex(packHashes(hashes)));
  return JSON.stringify({ ...state, chain: toHex(chain), levels: hex });
}

function readState(text: string): SealState {
  const { chain, levels, ...state } = JSON.parse(text) as Omit<SealState, "chain" | "levels"> & {
    chain: string;
    levels: string[];
  };
  const hashes = levels.map((hex) => unpackHashes(fromHex(hex)));
  return { ...state, chain: fromHex(chain), levels: hashes };
}
