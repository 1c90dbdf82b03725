import type { Learned, LearnedVersion } from "../worker/core/learning.ts";
import { NOTHING_LEARNED } from "../worker/routing/smart/learn.ts";

/** Kept: so many of the newest, then the last of each hour and of each day, and what somebody decides by. */
const NEWEST = 100;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const HOURS_FOR = 7 * DAY;
const DAYS_FOR = 90 * DAY;

/** The versions of what one organization learned, thinner with age, so that it can go back by minutes and by months. */
export class LearnedVersions {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Makes the tables; called before anything else in each transaction. */
  prepare(): void {
    this.#sql.exec(
      "create table if not exists states (version integer primary key, body text not null, at integer not null, read_at integer not null)",
    );
    this.#sql.exec("create index if not exists states_at on states (at, version, read_at)");
  }

  newest(): Learned {
    const [row] = this.#sql
      .exec<{ body: string }>("select body from states order by version desc limit 1")
      .toArray();
    return row === undefined ? NOTHING_LEARNED : (JSON.parse(row.body) as Learned);
  }

  /** One version, null where it is not kept. Who reads it by its number decides by it: it stays. */
  read(version: number, now: number): Learned | null {
    const [row] = this.#sql
      .exec<{ body: string; read_at: number }>(
        "select body, read_at from states where version = ?",
        version,
      )
      .toArray();
    if (row === undefined) return null;
    if (row.read_at < now - DAY) {
      this.#sql.exec("update states set read_at = ? where version = ?", now, version);
    }
    return JSON.parse(row.body) as Learned;
  }

  list(): LearnedVersion[] {
    return this.#sql
      .exec<{ version: number; at: number }>("select version, at from states order by version desc")
      .toArray();
  }

  keep(next: Learned, now: number): void {
    this.#sql.exec(
      "insert into states (version, body, at, read_at) values (?, ?, ?, 0)",
      next.version,
      JSON.stringify(next),
      now,
    );
    this.#sql.exec(
      "delete from states where version <= ?1 and read_at < ?2 and version not in (select max(version) from states where at > ?3 group by cast(at / ?4 as integer) union select max(version) from states where at > ?2 group by cast(at / ?5 as integer))",
      next.version - NEWEST,
      now - DAYS_FOR,
      now - HOURS_FOR,
      HOUR,
      DAY,
    );
  }
}
