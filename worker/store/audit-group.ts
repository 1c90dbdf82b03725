import type { AppendResult, AuditRecord } from "../core/audit.ts";
import { fitRecord } from "../core/audit-record.ts";
import type { Isolate } from "../core/isolate.ts";
import type { AuditPort } from "../core/ports.ts";

/** The bounds of one append (PLATFORM 29). */
export const MAX_GROUP = 128;
export const MAX_GROUP_BYTES = 100_000;

/** How long a member waits for another request's flight before it appends for itself. */
const FOLLOW_MS = 250;
/** How long a group waits for the one before it: short enough that its members are still there when it leaves. */
const GATHER_MS = 150;
/** An append that takes longer is void, whatever still becomes of it. */
const VOID_MS = 2_000;

/** One durable append of one organization's records; answers for each of them. */
export type TrailSend = (orgId: string, records: AuditRecord[]) => Promise<AppendResult[]>;

export interface Timer {
  done: Promise<void>;
  cancel(): void;
}

export interface AuditGroupParts {
  isolate: Isolate;
  send: TrailSend;
  /** Keeps work alive within this request's own context. */
  waitUntil: (work: Promise<unknown>) => void;
  now: () => number;
  after?: (ms: number) => Timer;
}

/** A record that waits for its group. `settle(null)` sends it off on its own. */
interface Entry {
  record: AuditRecord;
  bytes: number;
  settle: (result: AppendResult | null) => void;
}

/** Entries are plain data and the resolvers of promises that each belong to the request that waits (PLATFORM 3). */
interface Group {
  startedAt: number;
  entries: Entry[];
  bytes: number;
  /** When it left; null while others may still join. */
  sentAt: number | null;
  ended: boolean;
  /** Called when it has landed or failed. */
  watchers: (() => void)[];
}

/** The youngest group of each organization, by isolate. */
const groupsOf = new WeakMap<Isolate, Map<string, Group>>();

/**
 * Appends in groups: while one append of an organization is in flight, what its requests record gathers and goes with
 * the next (PLATFORM 5, 29). Whoever opens a group sends it, kept alive by that request's own `waitUntil`; the others
 * wait 250 ms for it and then append for themselves. The log knows event ids, so that a record which was sent both
 * ways is in it once. Never throws; only `ok` says that a record is durable.
 */
export function groupedAudit(parts: AuditGroupParts): AuditPort {
  const flights = new AuditFlights(parts);
  return { append: (records) => flights.append(records) };
}

class AuditFlights {
  readonly #send: TrailSend;
  readonly #waitUntil: (work: Promise<unknown>) => void;
  readonly #now: () => number;
  readonly #after: (ms: number) => Timer;
  readonly #groups: Map<string, Group>;

  constructor(parts: AuditGroupParts) {
    this.#send = parts.send;
    this.#waitUntil = parts.waitUntil;
    this.#now = parts.now;
    this.#after = parts.after ?? after;
    let groups = groupsOf.get(parts.isolate);
    if (!groups) groupsOf.set(parts.isolate, (groups = new Map()));
    this.#groups = groups;
  }

  append(records: AuditRecord[]): Promise<AppendResult[]> {
    return Promise.all(records.map((record) => this.#one(record)));
  }

  /** Joins or opens a group before anything is awaited, so that the records of one call fly together. */
  async #one(value: AuditRecord): Promise<AppendResult> {
    const fit = fitRecord(value);
    if (!("record" in fit)) return { ok: false, reason: fit.reason, refused: true };
    const { record, bytes } = fit;
    const entry: Entry = { record, bytes, settle: () => undefined };
    const landed = new Promise<AppendResult | null>((resolve) => {
      entry.settle = resolve;
    });
    const result = this.#join(entry) ? await this.#patiently(landed) : await landed;
    return result ?? (await this.#alone(record));
  }

  /** True for a follower; false for the one who opened the group and sees to its flight. */
  #join(entry: Entry): boolean {
    const { orgId } = entry.record;
    const last = this.#groups.get(orgId);
    if (last && this.#takes(last, entry)) {
      last.entries.push(entry);
      last.bytes += entry.bytes;
      return true;
    }
    const group: Group = {
      startedAt: this.#now(),
      entries: [entry],
      bytes: entry.bytes,
      sentAt: null,
      ended: false,
      watchers: [],
    };
    this.#groups.set(orgId, group);
    this.#waitUntil(this.#fly(orgId, group, last));
    return false;
  }

  #takes(group: Group, entry: Entry): boolean {
    return (
      group.sentAt === null &&
      // Older, it should have left: the request that was to send it is dead.
      this.#now() - group.startedAt < FOLLOW_MS &&
      group.entries.length < MAX_GROUP &&
      group.bytes + entry.bytes <= MAX_GROUP_BYTES
    );
  }

  async #fly(orgId: string, group: Group, before: Group | undefined): Promise<void> {
    // At least one turn, in which the caller's other records join.
    await (before && this.#running(before) ? this.#land(before) : Promise.resolve());
    group.sentAt = this.#now();
    const records = group.entries.map(({ record }) => record);
    let answer = await this.#attempt(orgId, records);
    if (answer === "failed") answer = await this.#attempt(orgId, records);
    group.ended = true;
    if (this.#groups.get(orgId) === group) this.#groups.delete(orgId);
    for (const watcher of group.watchers) watcher();
    group.entries.forEach(({ settle }, at) => settle(final(answer, at)));
  }

  #running(group: Group): boolean {
    if (group.ended) return false;
    const now = this.#now();
    return group.sentAt === null ? now - group.startedAt < FOLLOW_MS : now - group.sentAt < VOID_MS;
  }

  /** Waits for another request's group to land, but not for long: it inherits neither its failure nor its death. */
  async #land(before: Group): Promise<void> {
    const landed = new Promise<void>((resolve) => before.watchers.push(resolve));
    const patience = this.#after(GATHER_MS);
    await Promise.race([landed, patience.done]);
    patience.cancel();
  }

  async #patiently(landed: Promise<AppendResult | null>): Promise<AppendResult | null> {
    const patience = this.#after(FOLLOW_MS);
    const result = await Promise.race([landed, patience.done]);
    patience.cancel();
    return result ?? null;
  }

  /** One record on its own, in its own request's context, sent twice at most. */
  async #alone(record: AuditRecord): Promise<AppendResult> {
    let answer: AppendResult[] | Failure = "failed";
    for (let n = 0; n < 2 && answer !== "void"; n++) {
      answer = await this.#attempt(record.orgId, [record]);
      const result = final(answer, 0);
      if (result) return result;
    }
    return { ok: false, reason: "the log gave no answer" };
  }

  async #attempt(orgId: string, records: AuditRecord[]): Promise<AppendResult[] | Failure> {
    const patience = this.#after(VOID_MS);
    const late = patience.done.then((): Failure => "void");
    const sent = this.#sent(orgId, records);
    const answer = await Promise.race([sent, late]);
    patience.cancel();
    return answer;
  }

  async #sent(orgId: string, records: AuditRecord[]): Promise<AppendResult[] | Failure> {
    try {
      const results = await this.#send(orgId, records);
      return results.some((result) => final([result], 0)) ? results : "failed";
    } catch {
      return "failed";
    }
  }
}

/** `failed` is known to have gone wrong and is worth another try at once; `void` took too long. */
type Failure = "failed" | "void";

/** The result of one record if there is nothing more to try. */
function final(answer: AppendResult[] | Failure, at: number): AppendResult | null {
  const result = typeof answer === "string" ? undefined : answer[at];
  return result && (result.ok || result.refused === true) ? result : null;
}

function after(ms: number): Timer {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const done = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return { done, cancel: () => clearTimeout(timer) };
}
