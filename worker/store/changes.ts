import type { Change, Statement } from "../core/ports.ts";
import { insertAuditEvents } from "./audit-events.ts";
import { statement, writer } from "./database.ts";
import { changes } from "./schema.ts";

/** What became of a change's transaction. Only `unknown` leaves open whether it was written. */
export type WriteOutcome =
  | { kind: "applied" }
  /** A uniqueness rule refused it; `what` names the column (`teams.alias`). */
  | { kind: "conflict"; what: string }
  /** The database refused it for another reason and always will. */
  | { kind: "refused" }
  | { kind: "unknown" };

/**
 * Writes a change and its events in one transaction, exactly once: the change's own row goes first, so that a
 * repetition of what was written breaks on it and counts as applied. Never throws.
 */
export async function writeChange(
  d1: D1Database,
  orgId: string,
  change: Change,
  now: number,
): Promise<WriteOutcome> {
  const mark = writer.insert(changes).values({ orgId, id: change.id, appliedAt: now });
  const statements = [statement(mark), ...change.statements];
  if (change.events.length > 0) statements.push(insertAuditEvents(change.events));
  try {
    await d1.batch(statements.map((each) => prepared(d1, each)));
    return { kind: "applied" };
  } catch (cause) {
    return writeOutcome(cause);
  }
}

/** A statement, ready to run on the record. */
export function prepared(d1: D1Database, { sql, params }: Statement): D1PreparedStatement {
  return d1.prepare(sql).bind(...params);
}

const UNIQUE = /UNIQUE constraint failed: ([\w., ]+)/;
/** What SQLite itself says of a statement is final: the transaction was rolled back. */
const FINAL = /constraint failed|SQLITE_(ERROR|CONSTRAINT|MISMATCH|RANGE|TOOBIG)|D1_TYPE_ERROR/;

/** Reads out of D1's error what became of the transaction. */
export function writeOutcome(cause: unknown): WriteOutcome {
  const text = cause instanceof Error ? cause.message : "";
  const columns = UNIQUE.exec(text)?.[1]
    ?.split(",")
    .map((column) => column.trim());
  const last = columns?.at(-1);
  if (last === "changes.id") return { kind: "applied" };
  if (last !== undefined) return { kind: "conflict", what: last };
  return FINAL.test(text) ? { kind: "refused" } : { kind: "unknown" };
}

/**
 * Marks of changes, and the record's copies of their events, are forgotten when they are older: nobody repeats a change
 * after an hour, let alone a month, and what happened stands in the audit log, for as long as that is kept.
 */
const MARK_LIFE_MS = 30 * 24 * 60 * 60 * 1000;

/** Forgets old marks, a bounded number at a time; housekeeping that nothing depends on. */
export async function forgetOldMarks(d1: D1Database, now: number): Promise<void> {
  const old = (table: string, time: string) =>
    d1
      .prepare(
        `delete from ${table} where rowid in (select rowid from ${table} where ${time} < ? limit 1000)`,
      )
      .bind(now - MARK_LIFE_MS);
  await d1.batch([old("changes", "applied_at"), old("audit_events", "at")]);
}
