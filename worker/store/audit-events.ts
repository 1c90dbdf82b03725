import { and, desc, eq } from "drizzle-orm";
import type { AuditRecord } from "../core/audit.ts";
import type { Statement } from "../core/ports.ts";
import { page } from "./database.ts";
import type { Db, Page, PageRequest } from "./database.ts";
import { auditEvents } from "./schema.ts";

export type AuditEventRow = typeof auditEvents.$inferSelect;

/** The columns of an event, read out of one JSON record named `event.value`. */
const FROM_JSON = `
  event.value ->> 'orgId', event.value ->> 'eventId', event.value ->> 'type', event.value ->> 'at',
  event.value ->> 'teamId', event.value ->> 'keyHandle', event.value ->> 'actor',
  event.value ->> 'requestId', event.value -> 'data'`;

const INSERT = `INSERT INTO audit_events
  (org_id, event_id, type, at, team_id, key_handle, actor, request_id, data)
  SELECT ${FROM_JSON} FROM json_each(?1) AS event`;

/** Writes events; those whose id is known stay as they are. One parameter, however many they are. */
export function insertAuditEvents(records: AuditRecord[]): Statement {
  return {
    sql: `${INSERT} WHERE true ON CONFLICT DO NOTHING`,
    params: [JSON.stringify(records)],
  };
}

/**
 * Forgets an organization's rows. They are a copy: what has not reached the log yet lies in the outbox of the
 * organization's object, not here.
 */
export function forgetAuditEvents(orgId: string): Statement {
  return { sql: "DELETE FROM audit_events WHERE org_id = ?1", params: [orgId] };
}

/** Events of an organization, newest first. */
export function listAuditEvents(
  db: Db,
  orgId: string,
  request: PageRequest & { type?: string } = {},
): Promise<Page<AuditEventRow>> {
  const where = and(
    eq(auditEvents.orgId, orgId),
    request.type === undefined ? undefined : eq(auditEvents.type, request.type),
  );
  const rows = db
    .select()
    .from(auditEvents)
    .where(where)
    .orderBy(desc(auditEvents.at), desc(auditEvents.eventId))
    .$dynamic();
  return page(request, db.$count(auditEvents, where), rows);
}
