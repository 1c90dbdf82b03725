import { sha256, toHex } from "../core/bytes.ts";
import type { AuditEventType } from "../core/audit.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";

/** One event of a change. */
export interface ChangeEvent {
  type: AuditEventType;
  objectId: string;
  teamId?: string;
  /** The row as answers show it, before and after the change; absent where there is none. */
  before?: object;
  after?: object;
  /** What else is worth knowing: ids, counts, names of fields. */
  data?: JsonObject;
}

/** Who changes something, as records name it. */
export interface ChangedBy {
  /** The user behind the credential, else the credential (`master`, `key:<handle>`). */
  user: string;
  /** Public handle of the key; null for the master key. */
  keyHandle: string | null;
}

/** Tables by the first part of an event's name, where that is not the table's own plural. */
const TABLES: Readonly<Record<string, string>> = {
  role: "users",
  "organization.member_added": "users",
  "organization.member_updated": "users",
  "organization.member_removed": "users",
  "team.member_added": "team_members",
  "team.member_updated": "team_members",
  "team.member_removed": "team_members",
  policy: "policies",
  config: "config",
};

/** A member that is larger, as JSON, is recorded by its digest: a record of the log has a bounded size. */
const MOST_MEMBER_BYTES = 800;
const MASK = "***";
const PROVENANCE = new Set(["created_at", "created_by", "updated_at", "updated_by"]);
const SECRET_NAME =
  /secret|password|passwd|authorization|api_?key|private_?key|access_?key|^key(_name)?$|token$/i;
/** What names no secret although it stands in such a member: public handles, and the last four characters. */
const PUBLIC = /^(sha256:[0-9a-f]{64}|….{0,4})$/;
const SECRET_TEXT = /\b(sk|pk|rk)-|\bbearer\s|-----BEGIN|^eyJ/i;

/**
 * What the log keeps of one event of a change: the values before and after it, only those that differ,
 * without any secret. Of a row that is new or gone it is the whole row.
 */
export function changeRecord(event: ChangeEvent, by: ChangedBy): JsonObject {
  const before = event.before === undefined ? null : plain(event.before);
  const after = event.after === undefined ? null : plain(event.after);
  return {
    object_id: event.objectId,
    table_name: tableOf(event.type),
    before_value: before && recorded(before, after),
    updated_values: after && recorded(after, before),
    changed_by: by.user,
    changed_by_api_key: by.keyHandle,
    ...event.data,
  };
}

function tableOf(type: AuditEventType): string {
  const [prefix = ""] = type.split(".");
  return TABLES[type] ?? TABLES[prefix] ?? `${prefix}s`;
}

/** A row as JSON, without what the event itself tells: who changed it, and when. */
function plain(row: object): JsonObject {
  const value: unknown = JSON.parse(
    JSON.stringify(row, (name, member: unknown) => (PROVENANCE.has(name) ? undefined : member)),
  );
  return isJsonObject(value) ? value : {};
}

/** The members of a row that differ from the other one's, masked and bounded. */
function recorded(row: JsonObject, other: JsonObject | null): JsonObject {
  const kept: JsonObject = {};
  for (const [name, value = null] of Object.entries(row)) {
    if (other !== null && same(value, other[name])) continue;
    kept[name] = bounded(masked(value, SECRET_NAME.test(name)));
  }
  return kept;
}

function same(a: Json, b: Json | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Everything beneath a member whose name says so is secret, and so is what looks like one wherever it stands. */
function masked(value: Json, secret: boolean): Json {
  if (Array.isArray(value)) return value.map((each) => masked(each, secret));
  if (isJsonObject(value)) {
    const members = Object.entries(value).map(([name, each]): [string, Json] => [
      name,
      masked(each ?? null, secret || SECRET_NAME.test(name)),
    ]);
    return Object.fromEntries(members);
  }
  if (typeof value !== "string" || PUBLIC.test(value)) return value;
  return secret || SECRET_TEXT.test(value) ? MASK : value;
}

function bounded(value: Json): Json {
  const text = JSON.stringify(value);
  const bytes = Buffer.byteLength(text);
  if (bytes <= MOST_MEMBER_BYTES) return value;
  return { sha256: toHex(sha256(text)), bytes };
}
