import type { AuditRecord } from "../worker/core/audit.ts";

/** An event that waits for its next attempt. */
export interface Waiting {
  record: AuditRecord;
  /** Attempts that failed. */
  failed: number;
}

/** How long after each failed attempt the next one is made; after the last there is none. */
export const DELAYS_MS = [1_000, 5_000, 30_000, 300_000, 1_800_000, 7_200_000, 28_800_000] as const;
/** How long an event's id is remembered, told or not. */
const KEPT_MS = 40 * 86_400_000;
/** An endpoint that answers to nobody must not fill the object. */
const MOST_WAITING = 10_000;

const TABLES = `
  CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY, record TEXT, failed INTEGER NOT NULL, due INTEGER, at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS events_due ON events (due) WHERE due IS NOT NULL;
  CREATE INDEX IF NOT EXISTS events_at ON events (at);`;

/** What an organization's deliveries keep on disk: events that wait, and the ids of those that were told. */
export class DeliveryRows {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Takes events that are not known yet; answers how many there was no room for. */
  add(records: readonly AuditRecord[], now: number): number {
    return this.#write((sql) => {
      sql.exec("DELETE FROM events WHERE at < ? AND due IS NULL", now - KEPT_MS);
      let room = MOST_WAITING - this.#count();
      let refused = 0;
      for (const record of records) {
        const known = sql.exec("SELECT 1 FROM events WHERE id = ?", record.eventId).toArray();
        if (known.length > 0) continue;
        if (room-- <= 0) {
          refused++;
          continue;
        }
        const text = JSON.stringify(record);
        sql.exec("INSERT INTO events VALUES (?, ?, 0, ?, ?)", record.eventId, text, now, now);
      }
      return refused;
    });
  }

  due(now: number, limit: number): Waiting[] {
    return this.#write((sql) =>
      sql
        .exec<{ record: string; failed: number }>(
          "SELECT record, failed FROM events WHERE due <= ? ORDER BY due LIMIT ?",
          now,
          limit,
        )
        .toArray()
        .map(({ record, failed }) => ({ record: JSON.parse(record) as AuditRecord, failed })),
    );
  }

  /** Told, or wanted by nobody. */
  done(eventId: string): void {
    this.#write((sql) =>
      sql.exec("UPDATE events SET record = NULL, due = NULL WHERE id = ?", eventId),
    );
  }

  /** Not told this time. False when that was the last attempt. */
  failed({ record, failed }: Waiting, now: number): boolean {
    const delay = DELAYS_MS[failed];
    if (delay === undefined) {
      this.done(record.eventId);
      return false;
    }
    this.#write((sql) =>
      sql.exec(
        "UPDATE events SET failed = ?, due = ? WHERE id = ?",
        failed + 1,
        now + delay,
        record.eventId,
      ),
    );
    return true;
  }

  /** Unix milliseconds; null where nothing waits. */
  nextDue(): number | null {
    return this.#write((sql) => {
      const [row] = sql
        .exec<{ due: number | null }>("SELECT min(due) AS due FROM events")
        .toArray();
      return row?.due ?? null;
    });
  }

  #count(): number {
    const [row] = this.#storage.sql
      .exec<{ n: number }>("SELECT count(*) AS n FROM events WHERE due IS NOT NULL")
      .toArray();
    return row?.n ?? 0;
  }

  /** One transaction without an await (PLATFORM 9); the tables are made by the first. */
  #write<T>(work: (sql: SqlStorage) => T): T {
    return this.#storage.transactionSync(() => {
      this.#storage.sql.exec(TABLES);
      return work(this.#storage.sql);
    });
  }
}
