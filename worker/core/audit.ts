import type { ToldEvent } from "./audit-told.ts";
import type { JsonObject } from "./json.ts";

/** Events that are written by now; an event is one row here. */
export const AUDIT_EVENTS = [
  "request.routed",
  "request.hold_raised",
  "request.blocked",
  "request.failed",
  "request.cancelled",
  "request.completed",
  "organization.created",
  "organization.updated",
  "organization.deleted",
  "organization.member_added",
  "organization.member_updated",
  "organization.member_removed",
  "role.changed",
  "team.created",
  "team.updated",
  "team.deleted",
  "team.blocked",
  "team.unblocked",
  "team.member_added",
  "team.member_updated",
  "team.member_removed",
  "user.created",
  "user.updated",
  "user.deleted",
  "user.organization_switched",
  "invitation.created",
  "invitation.deleted",
  "invitation.accepted",
  "customer.created",
  "customer.updated",
  "customer.deleted",
  "customer.blocked",
  "customer.unblocked",
  "key.created",
  "key.updated",
  "key.rotated",
  "key.revoked",
  "key.blocked",
  "key.unblocked",
  "key.token_created",
  "model.created",
  "model.updated",
  "model.deleted",
  "model.overbilled",
  "config.updated",
  "credential.created",
  "credential.updated",
  "credential.rotated",
  "credential.deleted",
  "credential.refused",
  "credential.rewrapped",
  "policy.changed",
  "policy.rejected",
  "policy.alert",
  "audit.key_added",
  "audit.key_retired",
  "audit.retention_applied",
  "audit.exported",
  "audit.verified",
  "audit.unlinked",
  "audit.cosigned",
  "audit.checkpoint",
  "audit.unsealed",
  "webhook.resent",
  "budget.created",
  "budget.updated",
  "budget.deleted",
  "budget.threshold_reached",
  "budget.exceeded",
  "budget.reset",
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

/** Says of a request what was decided; it stays open until one of its outcomes is on record. */
export const DECISION: AuditEventType = "request.routed";

/** Says what a request set aside beyond its decision, before a further attempt. */
export const RAISE: AuditEventType = "request.hold_raised";

/** Events that say how a request ended. */
export const OUTCOMES: ReadonlySet<string> = new Set<AuditEventType>([
  "request.completed",
  "request.failed",
  "request.cancelled",
]);

/**
 * What became of one record. `refused` is final: the record itself is not fit for the log. Without it the record may be
 * sent again, and may even be in the log already: only `ok` says that it is durable.
 */
export type AppendResult = { ok: true } | { ok: false; reason: string; refused?: true };

/** Which records of one organization are wanted; by their time and then their sequence. */
export interface AuditQuery {
  /** Unix milliseconds, inclusive. */
  from?: number;
  /** Unix milliseconds, exclusive. */
  to?: number;
  /** A type of records, or an event that records of other types tell (core/audit-told). */
  type?: AuditEventType | ToldEvent;
  requestId?: string;
  eventId?: string;
  teamId?: string;
  keyHandle?: string;
  /** As records name who did it: `key:<handle>`, `user:<id>`, `master`. */
  actor?: string;
  /** True: administrative changes alone. */
  changes?: boolean;
  /** Newest first if absent. */
  order?: "asc" | "desc";
  /** The `cursor` of the page before. */
  cursor?: string;
  /** Records after this one in the order of the log, whatever their time; without a cursor. */
  afterSequence?: number;
  /** 100 if absent, 1,000 at most. */
  limit?: number;
  /** Records that are passed over, and how many there are of this kind is counted; without a cursor. */
  offset?: number;
}

/**
 * A record as it is shown: what is sealed, with `sequence`, `record_hash` and `previous_event_hash`
 * (null until it is sealed) beside it, and people by their own names where the log still knows them.
 */
export type ShownRecord = JsonObject;

/** One page of a log. */
export interface AuditPage {
  records: ShownRecord[];
  /** Null on the last page. */
  cursor: string | null;
  /** How many records the query finds in all; only where an offset was asked for. */
  total?: number;
}

/** The log of one organization. `append` answers once the records are durable and never throws. */
export interface AuditLogPort {
  append(records: AuditRecord[]): Promise<AppendResult[]>;
  /** Records as they are shown, a page of them. */
  list(query: AuditQuery): Promise<AuditPage>;
  /** How far the log has come; with `seal` everything that is in it now is sealed first. */
  stand(seal: boolean): Promise<LogStand>;
  /** Null where the log has no such event. */
  proof(eventId: string): Promise<Proof | null>;
  /** Where the texts of sealed records lie, as far as retention has not dropped them. */
  segments(from: number, to: number): Promise<{ first: number; last: number }[]>;
  /** Forgets who a person's pseudonyms stand for; false where nobody was known. */
  unlink(kind: "user" | "customer" | "email", id: string): Promise<boolean>;
}

/** How far a log has come. */
export interface LogStand {
  records: number;
  /** How many of them the newest checkpoint covers. */
  sealed: number;
  /** The signed note; null before there is one. */
  checkpoint: string | null;
}

/** That one record is in the log, as its parts and as one text that is checked offline. */
export interface Proof {
  /** The canonical text whose hash the leaf holds; null where retention has dropped it. */
  record: string | null;
  leaf: string;
  /** Counted from 0. */
  index: number;
  size: number;
  /** The audit path, base64. */
  hashes: string[];
  checkpoint: string;
  /** All of it as a C2SP tlog-proof. */
  proof: string;
}
