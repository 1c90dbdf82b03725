import type { AuditRecord } from "../worker/core/audit.ts";
import { firstEventId } from "../worker/core/audit-record.ts";
import { shownOrgId } from "../worker/core/ids.ts";
import { readCheckpoint } from "../worker/core/sealed-log/checkpoint.ts";
import { DAY_MS } from "../worker/core/time.ts";

/**
 * The newest checkpoint as the event of its day, told to whoever keeps it outside. Its id is made of the day alone, so
 * that whoever is told twice knows it. Null for text that is no checkpoint.
 */
export function checkpointEvent(
  orgId: string,
  checkpoint: string,
  now: number,
): AuditRecord | null {
  const read = readCheckpoint(checkpoint);
  if (read === null) return null;
  const day = now - (now % DAY_MS);
  return {
    eventId: firstEventId(day).padEnd(26, "0"),
    type: "audit.checkpoint",
    at: now,
    orgId,
    actor: "service:audit-log",
    data: { origin: read.checkpoint.origin, size: read.checkpoint.size, checkpoint },
  };
}

/** Events leave as lines of the logs too, which go wherever the deployment ships them to. */
export function tell(events: readonly AuditRecord[]): void {
  for (const { eventId, type, orgId, data } of events) {
    const line = { level: "info", msg: "audit checkpoint", event_id: eventId, event_type: type };
    console.log(JSON.stringify({ ...line, org_id: shownOrgId(orgId), ...data }));
  }
}
