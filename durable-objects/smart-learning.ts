import { DurableObject } from "cloudflare:workers";
import type { Judged, Judgement, Learned, Observation } from "../worker/core/learning.ts";
import { fold, NOTHING_LEARNED, type Lesson } from "../worker/routing/smart/learn.ts";
import { lessonOf } from "../worker/routing/smart/signs.ts";
import { answered } from "./answer.ts";
import type { Answer } from "./answer.ts";

/** Lessons wait for so many, or so long, before they make a new version. */
const BATCH = 20;
const WAIT_MS = 2_000;
/** Requests can be judged for a week; a question asked again within ten minutes says that its answer was not liked. */
const KEPT_MS = 7 * 86_400_000;
const AGAIN_MS = 600_000;
/** How much being asked again is believed, and that a preferred model would have done well. */
const AGAIN_WEIGHT = 0.5;
const CHOSEN_WEIGHT = 0.5;
const VERSIONS = 100;
const MOST_ROWS = 100_000;

type CallRow = {
  id: string;
  grp: string;
  task: string;
  key_id: string | null;
  team_id: string | null;
  judged: number;
};

/**
 * What one organization learned about its models. Lessons are folded in batches, each a version that can be read again;
 * each request teaches once, whatever is sent again.
 */
export class SmartLearning extends DurableObject<Env> {
  readonly #sql: SqlStorage;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
  }

  observe(rows: Observation[]): Promise<Answer<null>> {
    return this.#write(() => {
      const now = Date.now();
      for (const row of rows.slice(0, 500)) this.#observe(row, now);
      this.#sql.exec("delete from calls where at < ?", now - KEPT_MS);
      return null;
    });
  }

  judge({ callId, reward, chosen, by }: Judgement): Promise<Answer<Judged>> {
    return this.#write((): Judged => {
      const [row] = this.#sql
        .exec<CallRow>(
          "select id, grp, task, key_id, team_id, judged from calls where id = ?",
          callId,
        )
        .toArray();
      if (row === undefined) return "absent";
      const own =
        (by.keyId !== null && row.key_id === by.keyId) ||
        (by.teamId !== null && row.team_id === by.teamId);
      if (!own && !by.any) return "absent";
      if (row.judged === 1) return "known";
      const { grp: group, task } = row;
      // A bare choice between two is worth half to either, as a preference is no measure of one alone.
      const said = reward ?? (chosen === group ? 1 : 0);
      this.#teach(callId, {
        group,
        task,
        reward: said,
        weight: reward === null ? CHOSEN_WEIGHT : 1,
      });
      if (chosen !== undefined && chosen !== group) {
        this.#learn({ group: chosen, task, reward: 1, weight: CHOSEN_WEIGHT });
      }
      return "learned";
    });
  }

  snapshot(version: number | null): Promise<Answer<Learned | null>> {
    return this.#write(() => {
      if (version === 0) return NOTHING_LEARNED;
      if (version === null) return this.#newest(true);
      const [row] = this.#sql
        .exec<{ body: string }>("select body from versions where version = ?", version)
        .toArray();
      return row === undefined ? null : (JSON.parse(row.body) as Learned);
    });
  }

  #observe(row: Observation, now: number): void {
    const { callId, group, task, keyId, teamId, turn, signs } = row;
    const [before] = this.#sql
      .exec<CallRow>(
        "select id, grp, task, key_id, team_id, judged from calls where turn = ? and key_id is ? and at > ? and judged = 0 and id <> ? order by at desc limit 1",
        turn,
        keyId,
        now - AGAIN_MS,
        callId,
      )
      .toArray();
    const [{ count }] = this.#sql.exec("select count(*) as count from calls").toArray() as [
      { count: number },
    ];
    if (count >= MOST_ROWS) return;
    const made = this.#sql.exec(
      "insert or ignore into calls (id, grp, task, key_id, team_id, turn, at, judged) values (?, ?, ?, ?, ?, ?, ?, 0)",
      callId,
      group,
      task,
      keyId,
      teamId,
      turn,
      now,
    );
    if (made.rowsWritten === 0) return;
    const shown = signs && lessonOf(signs);
    if (shown) this.#learn({ group, task, ...shown });
    if (before === undefined) return;
    this.#teach(before.id, {
      group: before.grp,
      task: before.task,
      reward: 0,
      weight: AGAIN_WEIGHT,
    });
  }

  #teach(callId: string, lesson: Lesson): void {
    this.#sql.exec("update calls set judged = 1 where id = ?", callId);
    this.#learn(lesson);
  }

  #learn(lesson: Lesson): void {
    this.#sql.exec(
      "insert into lessons (body, at) values (?, ?)",
      JSON.stringify(lesson),
      Date.now(),
    );
    this.#newest(false);
  }

  /** The newest version, after the lessons that wait were folded in: all that are due, or every one with `all`. */
  #newest(all: boolean): Learned {
    const [row] = this.#sql
      .exec<{ body: string }>("select body from versions order by version desc limit 1")
      .toArray();
    const newest = row === undefined ? NOTHING_LEARNED : (JSON.parse(row.body) as Learned);
    const waiting = this.#sql
      .exec<{ id: number; body: string; at: number }>(
        "select id, body, at from lessons order by id",
      )
      .toArray();
    const [oldest] = waiting;
    if (oldest === undefined) return newest;
    const due = oldest.at <= Date.now() - WAIT_MS;
    if (waiting.length < BATCH && !(all && due)) return newest;
    const next = fold(
      newest,
      waiting.map((each) => JSON.parse(each.body) as Lesson),
    );
    this.#sql.exec(
      "insert into versions (version, body) values (?, ?)",
      next.version,
      JSON.stringify(next),
    );
    this.#sql.exec("delete from lessons");
    this.#sql.exec("delete from versions where version <= ?", next.version - VERSIONS);
    return next;
  }

  /** One transaction without an await (PLATFORM 9); the tables are made by the first. */
  #write<T>(work: () => T): Promise<Answer<T>> {
    return answered(async () =>
      this.ctx.storage.transactionSync(() => {
        this.#sql.exec(
          "create table if not exists calls (id text primary key, grp text not null, task text not null, key_id text, team_id text, turn integer not null, at integer not null, judged integer not null)",
        );
        this.#sql.exec("create index if not exists calls_turn on calls (turn, at)");
        this.#sql.exec(
          "create table if not exists lessons (id integer primary key autoincrement, body text not null, at integer not null)",
        );
        this.#sql.exec(
          "create table if not exists versions (version integer primary key, body text not null)",
        );
        return work();
      }),
    );
  }
}
