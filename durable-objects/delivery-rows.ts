import type { AuditRecord } from "../worker/core/audit.ts";
import type { Undelivered, UndeliveredPage } from "../worker/core/delivery.ts";
import { DAY_MS, HOUR_MS } from "../worker/core/time.ts";

/** An event that waits for its next attempt. */
export interface Waiting {
  record: AuditRecord;
  /** Attempts that failed. */
  failed: number;
  /** Since when it is tried, Unix milliseconds. */
  since: number;
}

/** How long after each failed attempt the next one is made; the last stands for all that follow. */
const DELAYS_MS = [1_000, 5_000, 30_000, 300_000, 1_800_000, 2 * HOUR_MS, 4 * HOUR_MS] as const;
/** When the last attempt is made; what fails then is dead. */
const TRIED_MS = DAY_MS;
/** How long an event's id is remembered, told or not, and a dead one kept. */
const KEPT_MS = 40 * DAY_MS;
/** An endpoint that answers to nobody must not fill the object. */
const MOST_WAITING = 10_000;
const MOST_DEAD = 10_000;

// `due` is null of what was told and of what is dead; only the latter still has its record.
const TABLES = `
  CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY, record TEXT, failed INTEGER NOT NULL, due INTEGER, since INTEGER NOT NULL,
    tried INTEGER, status INTEGER
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due) WHERE due IS NOT NULL;
  CREATE INDEX IF NOT EXISTS deliveries_since ON deliveries (since);
  CREATE INDEX IF NOT EXISTS deliveries_kept ON deliveries (since) WHERE record IS NOT NULL;`;

/**
 * What an organization's deliveries keep on disk: events that wait, those that are dead, and the ids of those that were
 * told.
 */
export class DeliveryRows {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Takes events that are not known yet; answers how many there was no room for. */
  add(records: readonly AuditRecord[], now: number): number {
    return this.#write((sql) => {
      sql.exec("DELETE FROM deliveries WHERE since < ? AND due IS NULL", now - KEPT_MS);
      let room = MOST_WAITING - this.#counts().waiting;
      let refused = 0;
      for (const record of records) {
        const known = sql.exec("SELECT 1 FROM deliveries WHERE id = ?", record.eventId).toArray();
        if (known.length > 0) continue;
        if (room-- <= 0) {
          refused++;
          continue;
        }
        sql.exec(
          "INSERT INTO deliveries (id, record, failed, due, since) VALUES (?, ?, 0, ?, ?)",
          record.eventId,
          JSON.stringify(record),
          now,
          now,
        );
      }
      return refused;
    });
  }

  due(now: number, limit: number): Waiting[] {
    return this.#write((sql) =>
      sql
        .exec<{ record: string; failed: number; since: number }>(
          "SELECT record, failed, since FROM deliveries WHERE due <= ? ORDER BY due LIMIT ?",
          now,
          limit,
        )
        .toArray()
        .map(({ record, ...rest }) => ({ ...rest, record: JSON.parse(record) as AuditRecord })),
    );
  }

  /** Told, or wanted by nobody. */
  done(eventId: string): void {
    this.#write((sql) =>
      sql.exec("UPDATE deliveries SET record = NULL, due = NULL WHERE id = ?", eventId),
    );
  }

  /**
   * Not told this time; `status` = what the endpoint answered, 0 = nothing. False when that was the last attempt: it is
   * dead then, and kept until somebody has it sent again.
   */
  failed({ record, failed, since }: Waiting, status: number, now: number): boolean {
    const last = since + TRIED_MS;
    const delay = DELAYS_MS[failed] ?? DELAYS_MS.at(-1) ?? 0;
    const due = now >= last ? null : Math.min(now + delay, last);
    this.#write((sql) => {
      sql.exec(
        "UPDATE deliveries SET failed = ?, due = ?, tried = ?, status = ? WHERE id = ?",
        failed + 1,
        due,
        now,
        status,
        record.eventId,
      );
      const tooMany = due === null ? this.#counts().dead - MOST_DEAD : 0;
      if (tooMany > 0) {
        sql.exec(
          "UPDATE deliveries SET record = NULL WHERE id IN (SELECT id FROM deliveries WHERE record IS NOT NULL AND due IS NULL ORDER BY since LIMIT ?)",
          tooMany,
        );
      }
    });
    return due !== null;
  }

  /** What is not delivered, the newest first, and how many there are of each kind. */
  undelivered(status: Undelivered["status"] | null, limit: number): UndeliveredPage {
    return this.#write((sql) => {
      const kind =
        status === null ? "" : status === "dead" ? "AND due IS NULL" : "AND due IS NOT NULL";
      const rows = sql.exec<{
        record: string;
        failed: number;
        due: number | null;
        tried: number | null;
        status: number | null;
      }>(
        `SELECT record, failed, due, tried, status FROM deliveries WHERE record IS NOT NULL ${kind} ORDER BY since DESC, id DESC LIMIT ?`,
        limit,
      );
      const deliveries = rows.toArray().map(({ record, failed, due, tried, status: answer }) => {
        const { eventId, type, at, teamId, requestId } = JSON.parse(record) as AuditRecord;
        return {
          eventId,
          type,
          at,
          teamId: teamId ?? null,
          requestId: requestId ?? null,
          status: due === null ? ("dead" as const) : ("waiting" as const),
          attempts: failed,
          lastAt: tried,
          lastStatus: answer,
          nextAt: due,
        };
      });
      return { deliveries, ...this.#counts() };
    });
  }

  /** How many of these are not delivered, of all if null; null where one of them is none of those. */
  countOf(ids: readonly string[] | null): number | null {
    return this.#write((sql) => {
      if (ids === null) {
        const { waiting, dead } = this.#counts();
        return waiting + dead;
      }
      const unique = [...new Set(ids)];
      const query = "SELECT 1 FROM deliveries WHERE id = ? AND record IS NOT NULL";
      const areKnown = unique.every((id) => sql.exec(query, id).toArray().length > 0);
      return areKnown ? unique.length : null;
    });
  }

  /** Has what is not delivered sent again now, with a whole day of attempts: these, or all if null. */
  resend(ids: readonly string[] | null, now: number): void {
    this.#write((sql) => {
      const again = "UPDATE deliveries SET failed = 0, due = ?, since = ? WHERE record IS NOT NULL";
      if (ids === null) sql.exec(again, now, now);
      else for (const id of ids) sql.exec(`${again} AND id = ?`, now, now, id);
    });
  }

  /** Unix milliseconds; null where nothing waits. */
  nextDue(): number | null {
    return this.#write((sql) => {
      const [row] = sql
        .exec<{ due: number | null }>("SELECT min(due) AS due FROM deliveries")
        .toArray();
      return row?.due ?? null;
    });
  }

  #counts(): { waiting: number; dead: number } {
    const [row] = this.#storage.sql
      .exec<{ waiting: number; n: number }>(
        "SELECT count(due) AS waiting, count(*) AS n FROM deliveries WHERE record IS NOT NULL",
      )
      .toArray();
    const { waiting = 0, n = 0 } = row ?? {};
    return { waiting, dead: n - waiting };
  }

  /** One transaction without an await (PLATFORM 9); the tables are made by the first. */
  #write<T>(work: (sql: SqlStorage) => T): T {
    return this.#storage.transactionSync(() => {
      this.#storage.sql.exec(TABLES);
      return work(this.#storage.sql);
    });
  }
}
