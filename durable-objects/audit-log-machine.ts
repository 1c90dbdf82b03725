import { DECISION, OUTCOMES } from "../worker/core/audit.ts";
import type { AppendResult, AuditPage, AuditQuery, AuditRecord } from "../worker/core/audit.ts";
import { eventTime, firstEventId, readRecord } from "../worker/core/audit-record.ts";

/** A record as it is stored. `due` is set for a decision: when it has waited long enough for its outcome. */
export interface Row {
  eventId: string;
  type: string;
  at: number;
  requestId: string | null;
  body: string;
  due: number | null;
  ends: boolean;
}

/** Where a page begins: before this record, by time and then sequence. */
export interface Position {
  at: number;
  sequence: number;
}

export interface Stored {
  sequence: number;
  body: string;
}

/** What the object keeps on disk. Each mutation is one transaction and returns when it is part of the storage. */
export interface AuditLogStorage {
  /** Appends in order what was never seen, opens decisions and closes those that have their outcome. */
  append(orgId: string, rows: Row[]): void;
  list(query: Omit<AuditQuery, "cursor">, before: Position | null, limit: number): Stored[];
  /** Bodies of open decisions that are due, the longest waiting first. */
  due(now: number, limit: number): { body: string; tries: number }[];
  /** Counts one more try of open decisions and moves when they are due. */
  postpone(decisions: { requestId: string; due: number }[]): void;
  nextDue(): number | null;
  /** Forgets event ids before a bound. */
  forget(before: string): void;
  remembers(): boolean;
}

/** The object's one alarm. */
export interface AuditLogAlarm {
  set(at: number): Promise<void>;
}

/**
 * Takes decisions that have no outcome: their requests died with their isolate. It may be told of the same one again,
 * until an outcome record for it is in the log.
 */
export type Abandoned = (decisions: AuditRecord[]) => Promise<void>;

const DAY_MS = 86_400_000;
/** How long an event id is known; a record whose id is older can't be told from a repetition. */
export const SEEN_MS = 30 * DAY_MS;
/** Ids are remembered a little longer than they are taken, so that a clock that is set back opens no gap. */
const FORGET_MS = SEEN_MS + 3_600_000;
/** How long past its deadline a request may still be writing its outcome. */
const GRACE_MS = 60_000;
/** The longest request, for decisions that do not tell their deadline. */
const LONGEST_MS = 600_000;
const RETRY_MS = 60_000;
const MAX_RETRY_MS = 3_600_000;
/** Alarms are at least this far apart, however many decisions come due. */
const ALARM_MS = 30_000;
const MAX_DUE = 100;
/** One transaction takes so many characters of JSON. */
const MAX_TRANSACTION = 500_000;
const PAGE = 100;
const MAX_PAGE = 1_000;

/**
 * The order of an organization's log. A record's place is given in the transaction that also remembers its event id,
 * so that whatever is sent again, a record is in the log once, and sequences have no gaps (PLATFORM 9, 29, 30).
 */
export class AuditLogMachine {
  readonly #orgId: string;
  readonly #storage: AuditLogStorage;
  readonly #alarm: AuditLogAlarm;
  readonly #abandoned: Abandoned;
  readonly #now: () => number;
  /** When the alarm rings, as far as this memory knows. */
  #alarmAt = Infinity;

  constructor(
    orgId: string,
    storage: AuditLogStorage,
    alarm: AuditLogAlarm,
    abandoned: Abandoned,
    now: () => number,
  ) {
    this.#orgId = orgId;
    this.#storage = storage;
    this.#alarm = alarm;
    this.#abandoned = abandoned;
    this.#now = now;
  }

  /** Answers for each value in turn, once the good ones are durable. Never throws. */
  async append(values: unknown[]): Promise<AppendResult[]> {
    const read = values.map((value) => this.#read(value));
    const rows: Row[] = [];
    for (const each of read) if ("eventId" in each) rows.push(each);
    const failed = new Set<Row>();
    for (const part of parts(rows)) {
      try {
        await this.#wakeFor(part);
        this.#storage.append(this.#orgId, part);
      } catch {
        for (const row of part) failed.add(row);
      }
    }
    return read.map((each) => {
      if (!("eventId" in each)) return { ok: false, reason: each.reason, refused: true };
      return failed.has(each)
        ? { ok: false, reason: "the log could not be written" }
        : { ok: true };
    });
  }

  list(query: AuditQuery): AuditPage {
    const limit = Math.max(1, Math.min(Math.floor(query.limit ?? PAGE) || PAGE, MAX_PAGE));
    const found = this.#storage.list(query, positionOf(query.cursor), limit + 1);
    const records = found.slice(0, limit).map(({ sequence, body }) => ({
      ...(JSON.parse(body) as AuditRecord),
      sequence,
    }));
    const last = records.at(-1);
    const more = found.length > limit && last !== undefined;
    return { records, cursor: more ? `${last.at}.${last.sequence}` : null };
  }

  /** Hands over decisions that are due, forgets old ids. Its successor is set before anything can fail; never throws. */
  async onAlarm(): Promise<void> {
    const now = this.#now();
    try {
      await this.#set(now + RETRY_MS);
      this.#storage.forget(firstEventId(now - FORGET_MS));
      const due = this.#storage.due(now, MAX_DUE);
      if (due.length > 0) {
        const decisions = due.map(({ body }) => JSON.parse(body) as AuditRecord);
        const later = decisions.flatMap(({ requestId }, at) =>
          requestId === undefined ? [] : [{ requestId, due: now + wait(due[at]?.tries ?? 0) }],
        );
        // Moved before they are handed over: whatever becomes of the call, it is repeated, and not at once.
        this.#storage.postpone(later);
        await this.#abandoned(decisions);
      }
    } catch {
      // The successor is due; what failed is done again.
    }
    try {
      const next = this.#storage.nextDue();
      const wanted = next ?? (this.#storage.remembers() ? now + DAY_MS : null);
      if (wanted !== null) await this.#set(Math.max(wanted, now + ALARM_MS));
    } catch {
      // The successor that was set first still stands.
    }
  }

  #read(value: unknown): Row | { reason: string } {
    const read = readRecord(value);
    if (!("record" in read)) return read;
    const { record, text } = read;
    if (record.orgId !== this.#orgId) return { reason: "the record is another organization's" };
    const made = eventTime(record.eventId);
    if (made === null || made < this.#now() - SEEN_MS)
      return { reason: "the record is too old to tell whether it was seen" };
    return {
      eventId: record.eventId,
      type: record.type,
      at: record.at,
      requestId: record.requestId ?? null,
      body: text,
      due: record.type === DECISION && record.requestId !== undefined ? dueOf(record) : null,
      ends: OUTCOMES.has(record.type),
    };
  }

  /** Sees to it that the alarm rings by the time that the rows want; set before they are written. */
  async #wakeFor(rows: Row[]): Promise<void> {
    const now = this.#now();
    let wanted = now + DAY_MS;
    for (const { due } of rows) if (due !== null) wanted = Math.min(wanted, due);
    // A new memory does not know what the one before it has set.
    if (this.#alarmAt === Infinity) wanted = Math.min(wanted, this.#storage.nextDue() ?? wanted);
    wanted = Math.max(wanted, now + ALARM_MS);
    if (wanted < this.#alarmAt || this.#alarmAt < now - ALARM_MS) await this.#set(wanted);
  }

  async #set(at: number): Promise<void> {
    await this.#alarm.set(at);
    this.#alarmAt = at;
  }
}

function dueOf(record: AuditRecord): number {
  const { deadline } = record.data;
  const latest = record.at + LONGEST_MS;
  const told = typeof deadline === "number" && deadline > record.at ? deadline : latest;
  return Math.floor(Math.min(told, latest)) + GRACE_MS;
}

function wait(tries: number): number {
  return Math.min(RETRY_MS * 2 ** tries, MAX_RETRY_MS);
}

function positionOf(cursor: string | undefined): Position | null {
  const [, at, sequence] = /^(\d{1,15})\.(\d{1,15})$/.exec(cursor ?? "") ?? [];
  return at === undefined ? null : { at: Number(at), sequence: Number(sequence) };
}

/** Rows by transactions. */
function parts(rows: Row[]): Row[][] {
  const out: Row[][] = [];
  let size = Infinity;
  for (const row of rows) {
    if (size + row.body.length > MAX_TRANSACTION) {
      out.push([]);
      size = 0;
    }
    out.at(-1)?.push(row);
    size += row.body.length;
  }
  return out;
}
