import { and, desc, eq, gte, lt, sql } from "drizzle-orm";
import type { UsageEvent } from "../core/account.ts";
import type { Statement } from "../core/ports.ts";
import { utcDay } from "../core/time.ts";
import { completionTokens, promptTokens } from "../core/usage.ts";
import { page } from "./database.ts";
import type { Db, Page, PageRequest } from "./database.ts";
import { usageDaily, usageRows } from "./schema.ts";
import { partsOf } from "./usage-parts.ts";

export type UsageRow = typeof usageRows.$inferSelect;
export type UsageDay = typeof usageDaily.$inferSelect;

/** An event and the segment that it lies in. */
export interface Filed {
  event: UsageEvent;
  segment: string;
}

/** Column, and the member of a part or row that fills it. */
type Columns = readonly (readonly [column: string, member: string])[];

const DIMENSIONS: Columns = [
  ["org_id", "orgId"],
  ["day", "day"],
  ["team_id", "teamId"],
  ["user_id", "userId"],
  ["key_id", "keyId"],
  ["customer_id", "customerId"],
  ["model_group", "group"],
  ["model", "model"],
  ["provider", "provider"],
];

const SUMS: Columns = [
  ["requests", "requests"],
  ["successes", "successes"],
  ["failures", "failures"],
  ["prompt_tokens", "promptTokens"],
  ["completion_tokens", "completionTokens"],
  ["cache_read_tokens", "cacheReadTokens"],
  ["cache_write_tokens", "cacheWriteTokens"],
  ["tokens", "tokens"],
  ["cost_nano", "costNano"],
];

const ROW: Columns = [
  ...DIMENSIONS.filter(([column]) => column !== "org_id"),
  ["started_at", "startedAt"],
  ["outcome", "outcome"],
  ["status", "status"],
  ["prompt_tokens", "promptTokens"],
  ["completion_tokens", "completionTokens"],
  ["cost_nano", "costNano"],
  ["duration_ms", "durationMs"],
  ["estimated", "estimated"],
  ["segment", "segment"],
  ["revision", "revision"],
];

const names = (columns: Columns) => columns.map(([column]) => column).join(", ");
const values = (columns: Columns) =>
  columns.map(([, member]) => `item.value ->> '${member}'`).join(", ");

// Both statements look at the index as it was before them, and they run in one transaction in this
// order: a revision that the index knows adds nothing, one that it does not know is known afterwards.
const ADD = `
  INSERT INTO usage_daily (${names(DIMENSIONS)}, ${names(SUMS)})
  SELECT ${values(DIMENSIONS)},
    ${SUMS.map(([, member]) => `sum(item.value ->> '${member}')`).join(", ")}
  FROM json_each(?1) AS item
  WHERE NOT EXISTS (
    SELECT 1 FROM usage_rows AS known
    WHERE known.org_id = item.value ->> 'orgId' AND known.request_id = item.value ->> 'requestId'
      AND known.applied & (item.value ->> 'revision')
  )
  GROUP BY ${DIMENSIONS.map((_, at) => at + 1).join(", ")}
  ON CONFLICT DO UPDATE SET
    ${SUMS.map(([column]) => `${column} = ${column} + excluded.${column}`).join(", ")}`;

const INDEX = `
  INSERT INTO usage_rows (org_id, request_id, applied, ${names(ROW)})
  SELECT item.value ->> 'orgId', item.value ->> 'requestId', item.value ->> 'revision', ${values(ROW)}
  FROM json_each(?1) AS item WHERE true
  ON CONFLICT DO UPDATE SET applied = applied | excluded.applied,
    ${ROW.map(([column]) => `${column} = CASE WHEN excluded.revision > revision THEN excluded.${column} ELSE ${column} END`).join(",\n    ")}`;

/**
 * Puts events into the index and the daily sums, each revision of a request once, however often it comes and in
 * whatever order. Both statements belong into one transaction; an event may stand only once in `filed`.
 */
export function writeUsage(filed: Filed[]): Statement[] {
  const parts = filed.flatMap(({ event }) => partsOf(event));
  return [
    { sql: ADD, params: [JSON.stringify(parts)] },
    { sql: INDEX, params: [JSON.stringify(filed.map(rowOf))] },
  ];
}

function rowOf({ event, segment }: Filed) {
  const { row, charged, revision, estimated } = event;
  return {
    orgId: row.orgId,
    requestId: row.requestId,
    day: utcDay(row.startedAt),
    startedAt: row.startedAt,
    teamId: row.teamId,
    userId: row.userId ?? null,
    keyId: row.keyId ?? null,
    customerId: row.customerId ?? null,
    model: row.model,
    group: row.group ?? null,
    provider: row.attempts.at(-1)?.provider ?? null,
    outcome: row.outcome,
    status: row.status,
    promptTokens: promptTokens(row.usage),
    completionTokens: completionTokens(row.usage),
    costNano: charged.cost,
    durationMs: row.durationMs,
    estimated: estimated || row.usage.estimated ? 1 : 0,
    segment,
    revision,
  };
}

export async function findUsage(
  db: Db,
  orgId: string,
  requestId: string,
): Promise<UsageRow | null> {
  const where = and(eq(usageRows.orgId, orgId), eq(usageRows.requestId, requestId));
  const rows = await db.select().from(usageRows).where(where).limit(1);
  return rows[0] ?? null;
}

/** Whose usage, and when; times are Unix milliseconds, `from` inclusive, `to` exclusive. */
export interface UsageFilter {
  teamId?: string;
  keyId?: string;
  userId?: string;
  customerId?: string;
  from?: number;
  to?: number;
}

/** Usage of an organization by request, newest first. */
export function listUsage(
  db: Db,
  orgId: string,
  { teamId, keyId, userId, customerId, from, to, ...request }: UsageFilter & PageRequest = {},
): Promise<Page<UsageRow>> {
  const where = and(
    eq(usageRows.orgId, orgId),
    teamId === undefined ? undefined : eq(usageRows.teamId, teamId),
    keyId === undefined ? undefined : eq(usageRows.keyId, keyId),
    userId === undefined ? undefined : eq(usageRows.userId, userId),
    customerId === undefined ? undefined : eq(usageRows.customerId, customerId),
    from === undefined ? undefined : gte(usageRows.startedAt, from),
    to === undefined ? undefined : lt(usageRows.startedAt, to),
  );
  const rows = db
    .select()
    .from(usageRows)
    .where(where)
    .orderBy(desc(usageRows.startedAt), desc(usageRows.requestId))
    .$dynamic();
  return page(request, db.$count(usageRows, where), rows);
}

/** Daily sums of an organization between two UTC days, both inclusive, oldest first. */
export function dailyUsage(
  db: Db,
  orgId: string,
  days: { from: string; to: string; teamId?: string },
): Promise<UsageDay[]> {
  const where = and(
    eq(usageDaily.orgId, orgId),
    gte(usageDaily.day, days.from),
    sql`${usageDaily.day} <= ${days.to}`,
    days.teamId === undefined ? undefined : eq(usageDaily.teamId, days.teamId),
  );
  return db.select().from(usageDaily).where(where).orderBy(usageDaily.day);
}

/** Forgets index rows of days before this one, at most `limit` of them; the sums stay. */
export function forgetUsage(before: string, limit: number): Statement {
  return {
    sql: `DELETE FROM usage_rows WHERE rowid IN
      (SELECT rowid FROM usage_rows WHERE day < ?1 LIMIT ?2)`,
    params: [before, limit],
  };
}
