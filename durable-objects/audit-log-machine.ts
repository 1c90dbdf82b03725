import { toHex } from "../worker/core/bytes.ts";
import type { AppendResult, AuditQuery, AuditRecord } from "../worker/core/audit.ts";
import { eventTime, firstEventId, readRecord, wellFormed } from "../worker/core/audit-record.ts";
import { pseudonymOf } from "../worker/core/sealed-log/pseudonyms.ts";
import type { PersonId, PersonKind } from "../worker/core/sealed-log/pseudonyms.ts";
import type { Json } from "../worker/core/json.ts";
import { DAY_MS } from "../worker/core/time.ts";
import { raisedDecision } from "./abandoned.ts";
import { rowOf } from "./audit-row.ts";
import type { Row } from "./audit-row.ts";

/** Where a page begins: next to this record, by time and then sequence. */
export interface Position {
  at: number;
  sequence: number;
}

/** A record as it was found; its text is null once it only lies in its segment. */
export interface Stored {
  sequence: number;
  at: number;
  eventId: string;
  body: string | null;
  /** Hexadecimal digits; null until it is sealed. */
  recordHash: string | null;
  previous: string | null;
  /** Events that it tells beside its own, each between commas. */
  told: string | null;
}

/** An open decision whose outcome is overdue. */
export interface Due {
  /** As it came, JSON. */
  decision: string;
  tries: number;
  /** What its request came to hold since, by each further record: JSON. */
  raises: string;
}

/** A person and the salt that its pseudonym was made with. */
export interface Person {
  kind: PersonKind;
  id: string;
  /** Hexadecimal digits. */
  salt: string;
  pseudonym: string;
}

/** Whose e-mail address, name or network address something is: it is unlinked together with that person. */
export interface Belonging {
  kind: PersonKind;
  id: string;
  ownerKind: PersonId["kind"];
  owner: string;
}

/** What a group of records says of people: who is new, and what belongs to whom. */
export interface People {
  persons: Person[];
  belongings: Belonging[];
}

/** What the object keeps on disk. Each mutation is one transaction and returns when it is part of the storage. */
export interface AuditLogStorage {
  /** Appends in order what was never seen, opens decisions and closes those that have their outcome. */
  append(orgId: string, rows: Row[], people: People): void;
  /** The pseudonym that a person has by now; null where there is none. */
  pseudonym(kind: PersonKind, id: string): string | null;
  list(query: Omit<AuditQuery, "cursor">, after: Position | null, limit: number): Stored[];
  /** How many records a query finds on all its pages. */
  count(query: AuditQuery): number;
  /** Open decisions that are due, the longest waiting first. */
  due(now: number, limit: number): Due[];
  /** Counts one more try of open decisions and moves when they are due. */
  postpone(decisions: { requestId: string; due: number }[]): void;
  nextDue(): number | null;
  extent(): { records: number; sealed: number; staged: boolean };
  /** Forgets event ids before a bound. */
  forget(before: string): void;
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

/** How long an event id is known; a record whose id is older can't be told from a repetition. */
export const SEEN_MS = 30 * DAY_MS;
/** Ids are remembered a little longer than they are taken, so that a clock that is set back opens no gap. */
const FORGET_MS = SEEN_MS + 3_600_000;
const RETRY_MS = 60_000;
const MAX_RETRY_MS = 3_600_000;
/** Alarms for decisions are at least this far apart, however many come due. */
const ALARM_MS = 30_000;
/** How long records gather before they are sealed, and how soon that is tried again. */
const SEAL_MS = 5_000;
const RETAIN_MS = 3_600_000;
const RETENTION_DAYS = 365;
const MAX_DUE = 100;
/** One transaction takes so many characters of JSON. */
const MAX_TRANSACTION = 500_000;
const PAGE = 100;
const MAX_PAGE = 1_000;

/** What a log does beside taking records. */
export interface AuditLogParts {
  /**
   * Seals a batch of what is pending; true where more was waiting, rejects where it could not be done. Absent: nothing
   * is ever sealed.
   */
  seal?: () => Promise<boolean>;
  /** Drops what is no longer kept; true where something is left for the next time, rejects where it could not be done. */
  retain?: () => Promise<boolean>;
  retentionDays?: number;
}

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
  readonly #parts: AuditLogParts;
  /** People whose first records are on their way to the disk: two groups that meet one at once give one pseudonym. */
  readonly #met = new Map<string, Person>();
  /** When what is no longer kept is looked for again. */
  #retainAt = 0;
  #leftToRetain = false;
  /** When the alarm rings, as far as this memory knows. */
  #alarmAt = Infinity;

  constructor(
    orgId: string,
    storage: AuditLogStorage,
    alarm: AuditLogAlarm,
    abandoned: Abandoned,
    now: () => number,
    parts: AuditLogParts = {},
  ) {
    this.#orgId = orgId;
    this.#storage = storage;
    this.#alarm = alarm;
    this.#abandoned = abandoned;
    this.#now = now;
    this.#parts = parts;
  }

  /** Answers for each value in turn, once the good ones are durable. Never throws. */
  async append(values: unknown[]): Promise<AppendResult[]> {
    const people = new Named();
    const read = values.map((value) => this.#read(value, people));
    const rows: Row[] = [];
    for (const each of read) if ("eventId" in each) rows.push(each);
    const failed = new Set<Row>();
    for (const part of parts(rows)) {
      try {
        await this.#wakeFor(part);
        this.#storage.append(this.#orgId, part, people);
        for (const person of people.persons) this.#met.delete(keyOf(person));
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

  /** A page of what is stored, newest first unless asked otherwise. */
  list(query: AuditQuery): { found: Stored[]; cursor: string | null; total?: number } {
    const limit = Math.max(1, Math.min(Math.floor(query.limit ?? PAGE) || PAGE, MAX_PAGE));
    const found = this.#storage.list(query, positionOf(query.cursor), limit + 1);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const byTime = query.afterSequence === undefined;
    const more = byTime && found.length > limit && last !== undefined;
    const cursor = more ? `${last.at}.${last.sequence}` : null;
    const counted = query.offset !== undefined && { total: this.#storage.count(query) };
    return { found: page, cursor, ...counted };
  }

  /** Seals, hands over decisions that are due, forgets old ids. Its successor is set before anything can fail; never throws. */
  async onAlarm(): Promise<void> {
    const now = this.#now();
    try {
      await this.#set(now + RETRY_MS);
      this.#storage.forget(firstEventId(now - FORGET_MS));
      const due = this.#storage.due(now, MAX_DUE);
      if (due.length > 0) {
        const decisions = due.map(({ decision, raises }) =>
          raisedDecision(JSON.parse(decision) as AuditRecord, JSON.parse(raises) as Json[]),
        );
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
    // One batch: appends go in before the next one.
    const more = (await this.#parts.seal?.().catch(() => false)) ?? false;
    if (now >= this.#retainAt) {
      this.#retainAt = now + RETAIN_MS;
      this.#leftToRetain = (await this.#parts.retain?.().catch(() => true)) ?? false;
    }
    try {
      const next = this.#storage.nextDue();
      const due = next ?? (this.#storage.extent().records > 0 ? now + DAY_MS : null);
      const decisions = due === null ? Infinity : Math.max(due, now + ALARM_MS);
      const retention = this.#leftToRetain ? this.#retainAt : Infinity;
      const later = Math.min(decisions, retention, this.#sealDue(this.#now()));
      const wanted = more ? this.#now() : later;
      if (wanted < Infinity) await this.#set(wanted);
    } catch {
      // The successor that was set first still stands.
    }
  }

  #read(value: unknown, people: Named): Row | { reason: string } {
    const read = readRecord(value);
    if (!("record" in read)) return read;
    // Refused for it, a change could be kept out of the log by what it changes.
    const record = read.halves ? wellFormed(read.record) : read.record;
    if (record.orgId !== this.#orgId) return { reason: "the record is another organization's" };
    const made = eventTime(record.eventId);
    if (made === null || made < this.#now() - SEEN_MS)
      return { reason: "the record is too old to tell whether it was seen" };
    const of = (kind: PersonKind, id: string, owner: PersonId | null) => {
      if (owner !== null) people.belongs(kind, id, owner);
      return this.#pseudonym(kind, id, people);
    };
    const row = rowOf(record, of, this.#parts.retentionDays ?? RETENTION_DAYS);
    return row ?? { reason: "the record has no canonical form" };
  }

  /** A person's pseudonym; who has none gets one, which becomes durable with the record that it stands in. */
  #pseudonym(kind: PersonKind, id: string, people: Named): string {
    const known = people.pseudonym(kind, id);
    if (known !== undefined) return known;
    const stored = this.#storage.pseudonym(kind, id);
    if (stored !== null) return stored;
    const person = this.#met.get(keyOf({ kind, id })) ?? newPerson(kind, id);
    this.#met.set(keyOf(person), person);
    people.add(person);
    return person.pseudonym;
  }

  /** When the next sealing is due; never where nothing is pending, or nothing is sealed at all. */
  #sealDue(now: number): number {
    if (this.#parts.seal === undefined) return Infinity;
    const { records, sealed, staged } = this.#storage.extent();
    return records > sealed || staged ? now + SEAL_MS : Infinity;
  }

  /** Sees to it that the alarm rings by the time that the rows want; set before they are written. */
  async #wakeFor(rows: Row[]): Promise<void> {
    const now = this.#now();
    let wanted = now + DAY_MS;
    for (const { due } of rows) if (due !== null) wanted = Math.min(wanted, due);
    // A new memory does not know what the one before it has set.
    if (this.#alarmAt === Infinity) wanted = Math.min(wanted, this.#storage.nextDue() ?? wanted);
    wanted = Math.max(wanted, now + ALARM_MS);
    if (this.#parts.seal !== undefined && rows.length > 0) wanted = Math.min(wanted, now + SEAL_MS);
    if (wanted < this.#alarmAt || this.#alarmAt < now - ALARM_MS) await this.#set(wanted);
  }

  async #set(at: number): Promise<void> {
    await this.#alarm.set(at);
    this.#alarmAt = at;
  }
}

function keyOf({ kind, id }: Pick<Person, "kind" | "id">): string {
  return `${kind}:${id}`;
}

function newPerson(kind: PersonKind, id: string): Person {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  return { kind, id, salt: toHex(salt), pseudonym: pseudonymOf(salt, kind, id) };
}

/** The people of one call to `append`, each once. */
class Named implements People {
  readonly #persons = new Map<string, Person>();
  readonly #belongings = new Map<string, Belonging>();

  get persons(): Person[] {
    return [...this.#persons.values()];
  }

  get belongings(): Belonging[] {
    return [...this.#belongings.values()];
  }

  pseudonym(kind: PersonKind, id: string): string | undefined {
    return this.#persons.get(keyOf({ kind, id }))?.pseudonym;
  }

  add(person: Person): void {
    this.#persons.set(keyOf(person), person);
  }

  belongs(kind: PersonKind, id: string, { kind: ownerKind, id: owner }: PersonId): void {
    const key = JSON.stringify([kind, id, ownerKind, owner]);
    this.#belongings.set(key, { kind, id, ownerKind, owner });
  }
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
