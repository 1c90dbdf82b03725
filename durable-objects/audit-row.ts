import { DECISION, OUTCOMES, RAISE } from "../worker/core/audit.ts";
import type { AuditEventType, AuditRecord } from "../worker/core/audit.ts";
import { alsoTold } from "../worker/core/audit-told.ts";
import { timeOrderedId } from "../worker/core/ids.ts";
import type { JsonObject } from "../worker/core/json.ts";
import { canonicalText, sealedRecord } from "../worker/core/sealed-log/leaf.ts";
import { pseudonymized } from "../worker/core/sealed-log/pseudonyms.ts";
import type { Pseudonyms } from "../worker/core/sealed-log/pseudonyms.ts";
import { DAY_MS } from "../worker/core/time.ts";
import { openDecision } from "./abandoned.ts";

/** A record as it is stored. People stand in it as pseudonyms, but for `decision`. */
export interface Row {
  eventId: string;
  type: string;
  at: number;
  /** Unix milliseconds until when its text is kept at least. */
  keepUntil: number;
  requestId: string | null;
  teamId: string | null;
  keyHandle: string | null;
  actor: string;
  /** What is sealed: the record as it is shown, in canonical JSON. */
  body: string;
  /** Set for a decision: when it has waited long enough for its outcome. */
  due: number | null;
  /** What of the decision its ledger may be told, as it came: it charges real people. Kept until its outcome is there. */
  decision: string | null;
  /** What a request holds besides, as it came: JSON. */
  raise: string | null;
  ends: boolean;
  /** Events that it tells beside its own, each between commas; null for none. */
  told: string | null;
}

/** Something that the log writes about itself. */
export interface OwnEvent {
  type: Extract<AuditEventType, `audit.${string}`>;
  at: number;
  data: JsonObject;
}

/** Our own events that are never dropped. */
export const KEPT = /^audit\.(key_|retention_)/;
const FOR_EVER = Number.MAX_SAFE_INTEGER;
/** The longest retention that a rule may ask for. */
const MAX_DAYS = 2_557;
/** How long past its deadline a request may still be writing its outcome. */
const GRACE_MS = 60_000;
/** The longest request, for decisions that do not tell their deadline. */
const LONGEST_MS = 600_000;

/** The row of a record; null where it has no canonical form (halves of characters). */
export function rowOf(record: AuditRecord, of: Pseudonyms, retentionDays: number): Row | null {
  const hidden = pseudonymized(record, of);
  const body = canonicalText(sealedRecord(hidden));
  if (body === null) return null;
  const asked = record.data["retention_days"];
  const days = Math.max(retentionDays, typeof asked === "number" ? Math.min(asked, MAX_DAYS) : 0);
  const told = alsoTold(record);
  const open = record.type === DECISION && record.requestId !== undefined;
  return {
    eventId: record.eventId,
    type: record.type,
    at: record.at,
    keepUntil: record.at + days * DAY_MS,
    requestId: record.requestId ?? null,
    teamId: record.teamId ?? null,
    keyHandle: record.keyHandle ?? null,
    actor: hidden.actor,
    body,
    due: open ? dueOf(record) : null,
    decision: open ? JSON.stringify(openDecision(record)) : null,
    raise: record.type === RAISE ? JSON.stringify(record.data["leases"] ?? []) : null,
    ends: OUTCOMES.has(record.type),
    told: told.length === 0 ? null : `,${told.join(",")},`,
  };
}

/** The row of such a record. Throws for one that has no canonical form: ours have. */
export function ownRow(orgId: string, { type, at, data }: OwnEvent, retentionDays: number): Row {
  const eventId = `evt_${timeOrderedId(at)}`;
  const record = { eventId, type, at, orgId, actor: "service:audit-log", data };
  const row = rowOf(record, (_, value) => value, retentionDays);
  // Without them nobody could tell later whose signatures to trust, and what was dropped rightly.
  if (row !== null && KEPT.test(type)) return { ...row, keepUntil: FOR_EVER };
  if (row === null) throw new TypeError("A record of the log's own must be plain JSON.");
  return row;
}

function dueOf(record: AuditRecord): number {
  const { deadline } = record.data;
  const latest = record.at + LONGEST_MS;
  const told = typeof deadline === "number" && deadline > record.at ? deadline : latest;
  return Math.floor(Math.min(told, latest)) + GRACE_MS;
}
