import { DurableObject } from "cloudflare:workers";
import type {
  Judged,
  Judgement,
  Learned,
  LearnedVersion,
  Observation,
} from "../worker/core/learning.ts";
import { fold, NOTHING_LEARNED, type Lesson } from "../worker/routing/smart/learn.ts";
import { lessonOf } from "../worker/routing/smart/signs.ts";
import { answered } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { LearnedVersions } from "./learned-versions.ts";

/** Lessons wait for so many, or so long, before they make a new version. */
const BATCH = 20;
const WAIT_MS = 2_000;
/** Requests can be judged for a week; a question asked again within ten minutes says that its answer was not liked. */
const KEPT_MS = 7 * 86_400_000;
const AGAIN_MS = 600_000;
/** How much being asked again is believed, and that a preferred model would have done well. */
const AGAIN_WEIGHT = 0.5;
const CHOSEN_WEIGHT = 0.5;
/** Calls that wait to be judged: the oldest make room. */
const MOST_CALLS = 100_000;
/** What is known of a call: somebody judged it, or only its question came again. */
const JUDGED = 1;
const ASKED_AGAIN = 2;

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
  readonly #versions: LearnedVersions;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#versions = new LearnedVersions(ctx.storage.sql);
  }

  observe(rows: Observation[]): Promise<Answer<null>> {
    return this.#write(() => {
      const now = Date.now();
      for (const row of rows.slice(0, 500)) this.#observe(row, now);
      this.#sql.exec("delete from asked where at < ?", now - KEPT_MS);
      this.#sql.exec(
        "delete from asked where rowid <= (select max(rowid) from asked) - ?",
        MOST_CALLS,
      );
      this.#fold(false);
      return null;
    });
  }

  judge({ callId, reward, chosen, by }: Judgement): Promise<Answer<Judged>> {
    return this.#write((): Judged => {
      const [row] = this.#sql
        .exec<CallRow>(
          "select id, grp, task, key_id, team_id, judged from asked where id = ?",
          callId,
        )
        .toArray();
      if (row === undefined) return "absent";
      const own =
        (by.keyId !== null && row.key_id === by.keyId) ||
        (by.teamId !== null && row.team_id === by.teamId);
      if (!own && !by.any) return "absent";
      if (row.judged === JUDGED) return "known";
      const { grp: group, task } = row;
      // A bare choice between two is worth half to either, as a preference is no measure of one alone.
      const said = reward ?? (chosen === group ? 1 : 0);
      this.#mark(callId, JUDGED);
      this.#learn({ group, task, reward: said, weight: reward === null ? CHOSEN_WEIGHT : 1 });
      if (chosen !== undefined && chosen !== group) {
        this.#learn({ group: chosen, task, reward: 1, weight: CHOSEN_WEIGHT });
      }
      this.#fold(false);
      return "learned";
    });
  }

  snapshot(version: number | null): Promise<Answer<Learned | null>> {
    return this.#write(() => {
      if (version === 0) return NOTHING_LEARNED;
      if (version !== null) return this.#versions.read(version, Date.now());
      this.#fold(true);
      return this.#versions.newest();
    });
  }

  versions(): Promise<Answer<LearnedVersion[]>> {
    return this.#write(() => {
      this.#fold(true);
      return this.#versions.list();
    });
  }

  revert(version: number): Promise<Answer<number | null>> {
    return this.#write(() => {
      const now = Date.now();
      const past = version === 0 ? NOTHING_LEARNED : this.#versions.read(version, now);
      if (past === null) return null;
      // What waits was learned after that version, too.
      this.#sql.exec("delete from lessons");
      const next = { ...past, version: this.#versions.newest().version + 1 };
      this.#versions.keep(next, now);
      return next.version;
    });
  }

  #observe(row: Observation, now: number): void {
    const { callId, group, task, keyId, teamId, turn, signs } = row;
    // Without a turn nothing tells a question that is asked again from one that others ask, too.
    const [before] =
      turn === null
        ? []
        : this.#sql
            .exec<CallRow>(
              "select id, grp, task, key_id, team_id, judged from asked where turn = ? and key_id is ? and at > ? and judged = 0 and id <> ? order by at desc limit 1",
              turn,
              keyId,
              now - AGAIN_MS,
              callId,
            )
            .toArray();
    const made = this.#sql.exec(
      "insert or ignore into asked (id, grp, task, key_id, team_id, turn, at, judged) values (?, ?, ?, ?, ?, ?, ?, 0)",
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
    this.#mark(before.id, ASKED_AGAIN);
    this.#learn({ group: before.grp, task: before.task, reward: 0, weight: AGAIN_WEIGHT });
  }

  #mark(callId: string, judged: number): void {
    this.#sql.exec("update asked set judged = ? where id = ?", judged, callId);
  }

  #learn(lesson: Lesson): void {
    this.#sql.exec(
      "insert into lessons (body, at) values (?, ?)",
      JSON.stringify(lesson),
      Date.now(),
    );
  }

  /** Makes a version of the lessons that wait: of a whole batch, or with `due` of any that have waited long enough. */
  #fold(due: boolean): void {
    const waiting = this.#sql
      .exec<{ body: string; at: number }>("select body, at from lessons order by id")
      .toArray();
    const [oldest] = waiting;
    if (oldest === undefined) return;
    const now = Date.now();
    if (waiting.length < BATCH && !(due && oldest.at <= now - WAIT_MS)) return;
    const lessons = waiting.map(({ body }) => JSON.parse(body) as Lesson);
    this.#versions.keep(fold(this.#versions.newest(), lessons), now);
    this.#sql.exec("delete from lessons");
  }

  /** One transaction without an await (PLATFORM 9); the tables are made by the first. */
  #write<T>(work: () => T): Promise<Answer<T>> {
    return answered(async () =>
      this.ctx.storage.transactionSync(() => {
        this.#sql.exec(
          "create table if not exists asked (id text primary key, grp text not null, task text not null, key_id text, team_id text, turn integer, at integer not null, judged integer not null)",
        );
        this.#sql.exec("create index if not exists asked_turn on asked (turn, at)");
        this.#sql.exec("create index if not exists asked_at on asked (at)");
        this.#sql.exec(
          "create table if not exists lessons (id integer primary key autoincrement, body text not null, at integer not null)",
        );
        this.#versions.prepare();
        return work();
      }),
    );
  }
}
