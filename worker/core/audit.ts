import type { JsonObject } from "./json.ts";

/** Events that are written by now; an event is one row here (CONTRACT 7.1). */
export const AUDIT_EVENTS = [
  "request.routed",
  "request.blocked",
  "request.failed",
  "request.cancelled",
  "request.completed",
  "organization.created",
  "team.created",
  "user.created",
  "key.created",
  "model.created",
  "credential.created",
] as const;

export type AuditEventType = (typeof AUDIT_EVENTS)[number];

/** One record of the log. `data` holds ids, counts, codes and decisions; never content, never a secret. */
export interface AuditRecord {
  /** `evt_` and a time-ordered id, made once before any retry; the log drops what it has seen. */
  eventId: string;
  type: AuditEventType;
  /** Unix milliseconds. */
  at: number;
  orgId: string;
  teamId?: string;
  keyHandle?: string;
  /** Who did it: `key:<handle>`, `user:<id>`, `master`, `service:<name>`. */
  actor: string;
  requestId?: string;
  data: JsonObject;
}

export type AppendResult = { ok: true } | { ok: false; reason: string };
