import { and, desc, eq, isNull, sql } from "drizzle-orm";
import type { SettleRow } from "../core/account.ts";
import type { AuditRecord } from "../core/audit.ts";
import type { NanoUsd } from "../core/money.ts";
import type { Statement } from "../core/ports.ts";
import { completionTokens, promptTokens } from "../core/usage.ts";
import { page, statement, writer } from "./database.ts";
import type { Db, Page, PageRequest } from "./database.ts";
import { requestLog } from "./schema.ts";

export type RequestRow = typeof requestLog.$inferSelect;

/** Writes a request's money once: a row that was settled before stays as it is. */
export function settleRequest(row: SettleRow, settledAt: number): Statement {
  const columns = {
    teamId: row.teamId,
    userId: row.userId,
    keyId: row.keyId,
    keyHandle: row.keyHandle,
    customerId: row.customerId,
    model: row.model,
    group: row.group,
    endpoint: row.endpoint,
    stream: row.stream,
    tags: row.tags,
    outcome: row.outcome,
    status: row.status,
    usage: row.usage,
    promptTokens: promptTokens(row.usage),
    completionTokens: completionTokens(row.usage),
    costNano: row.cost,
    attempts: row.attempts,
    startedAt: row.startedAt,
    durationMs: row.durationMs,
    timeToFirstTokenMs: row.timeToFirstTokenMs,
    settledAt,
  };
  return statement(
    writer
      .insert(requestLog)
      .values({ ...columns, orgId: row.orgId, requestId: row.requestId })
      .onConflictDoUpdate({
        target: [requestLog.orgId, requestLog.requestId],
        set: columns,
        setWhere: isNull(requestLog.settledAt),
      }),
  );
}

/** Events that say how a request ended; the other `request.` events say what was decided about it. */
const OUTCOMES: ReadonlySet<string> = new Set([
  "request.completed",
  "request.failed",
  "request.cancelled",
]);

/** True for an event that belongs into its request's row. */
export function isRequestEvent(record: AuditRecord): boolean {
  return record.requestId !== undefined && record.type.startsWith("request.");
}

/** Puts events into the rows of their requests, each place filled once; other events it passes by. */
export function recordRequestEvents(records: AuditRecord[]): Statement {
  const rows = records.filter(isRequestEvent).map((record) => ({
    record,
    place: OUTCOMES.has(record.type) ? "outcome" : "decision",
  }));
  return {
    sql: `INSERT INTO request_log
        (org_id, request_id, team_id, key_handle, started_at, decision, outcome_record)
      SELECT item.value ->> '$.record.orgId', item.value ->> '$.record.requestId',
        item.value ->> '$.record.teamId', item.value ->> '$.record.keyHandle',
        item.value ->> '$.record.at',
        CASE item.value ->> 'place' WHEN 'decision' THEN item.value -> 'record' END,
        CASE item.value ->> 'place' WHEN 'outcome' THEN item.value -> 'record' END
      FROM json_each(?1) AS item WHERE true
      ON CONFLICT (org_id, request_id) DO UPDATE SET
        decision = coalesce(decision, excluded.decision),
        outcome_record = coalesce(outcome_record, excluded.outcome_record)`,
    params: [JSON.stringify(rows)],
  };
}

/** What was debited to a key or a team so far, in nano-dollars. */
export async function spendOf(
  db: Db,
  orgId: string,
  of: { keyId: string } | { teamId: string },
): Promise<NanoUsd> {
  const rows = await db
    .select({ spent: sql<number>`coalesce(sum(${requestLog.costNano}), 0)` })
    .from(requestLog)
    .where(
      and(
        eq(requestLog.orgId, orgId),
        "keyId" in of ? eq(requestLog.keyId, of.keyId) : eq(requestLog.teamId, of.teamId),
      ),
    );
  return rows[0]?.spent ?? 0;
}

export async function findRequest(
  db: Db,
  orgId: string,
  requestId: string,
): Promise<RequestRow | null> {
  const where = and(eq(requestLog.orgId, orgId), eq(requestLog.requestId, requestId));
  const rows = await db.select().from(requestLog).where(where).limit(1);
  return rows[0] ?? null;
}

/** Requests of an organization, newest first. */
export function listRequests(
  db: Db,
  orgId: string,
  request: PageRequest & { keyId?: string; teamId?: string } = {},
): Promise<Page<RequestRow>> {
  const where = and(
    eq(requestLog.orgId, orgId),
    request.keyId === undefined ? undefined : eq(requestLog.keyId, request.keyId),
    request.teamId === undefined ? undefined : eq(requestLog.teamId, request.teamId),
  );
  const rows = db
    .select()
    .from(requestLog)
    .where(where)
    .orderBy(desc(requestLog.startedAt), desc(requestLog.requestId))
    .$dynamic();
  return page(request, db.$count(requestLog, where), rows);
}
