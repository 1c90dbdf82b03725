import * as z from "zod";
import { AUDIT_EVENTS } from "./audit.ts";
import { dataSchema } from "./audit-data.ts";
import type { AuditRecord } from "./audit.ts";
import { timeOrderedId } from "./ids.ts";
import { isJsonObject } from "./json.ts";
import type { JsonObject } from "./json.ts";
import { quickForm } from "./quick-form.ts";
import type { Quick } from "./quick-form.ts";

/** The largest record, in bytes of its JSON. */
export const MAX_RECORD_BYTES = 16_384;

const EVENT_ID = /^evt_([0-9A-Za-z]{8})[0-9A-Za-z]{14}$/;
const id = z.string().min(1).max(128);

/** Nothing but these members: content can't slip into the log through one that nobody thought of. */
const schema = z.strictObject({
  eventId: z.string().regex(EVENT_ID),
  type: z.enum(AUDIT_EVENTS),
  at: z.int().positive(),
  orgId: id,
  teamId: id.optional(),
  keyHandle: id.optional(),
  actor: z.string().min(1).max(256),
  requestId: id.optional(),
  data: z.custom<JsonObject>(isJsonObject),
});

const isEnvelope = quickForm(schema);
const quickForms = new WeakMap<z.ZodType, Quick>();

/** Nearly every record is sound: what this finds so, zod need not read. */
function isSoundData(form: z.ZodType, data: JsonObject): boolean {
  let quick = quickForms.get(form);
  if (!quick) quickForms.set(form, (quick = quickForm(form)));
  return quick(data);
}

/** A record that is fit for the log, the size of its JSON in bytes, and whether halves of characters stand in it; or why not. */
export type ReadRecord =
  | { record: AuditRecord; bytes: number; halves: boolean }
  | { reason: string };

/** Reads anything as a record of the log. Never throws; a reason names members and holds no value. */
export function readRecord(value: unknown): ReadRecord {
  let record: AuditRecord;
  if (isEnvelope(value)) record = value as AuditRecord;
  else {
    const read = schema.safeParse(value);
    if (!read.success) return { reason: `the record is not well formed: ${faults(read.error)}` };
    record = read.data;
  }
  // The size first: the form of what is too large is nobody's concern.
  const text = textOf(record);
  if (text === null) return { reason: "the record is not JSON" };
  const bytes = bytesOf(text);
  if (bytes > MAX_RECORD_BYTES)
    return { reason: `the record is larger than ${MAX_RECORD_BYTES} bytes` };
  const halves = HALF.test(text);
  const form = dataSchema(record.type);
  if (isSoundData(form, record.data)) return { record, bytes, halves };
  const data = form.safeParse(record.data);
  if (!data.success)
    return { reason: `the record's data is not well formed: ${faults(data.error)}` };
  return { record, bytes, halves };
}

/** What settles a request whose isolate died: cut only where nothing else is left to cut. */
const NEEDED = new Set(["deadline", "team_id", "user_id", "key_id", "customer_id", "leases"]);

/** What is cut first: nothing is decided anew from it. */
const SPARE = new Set(["inputs"]);

function rank(member: string): number {
  return SPARE.has(member) ? 0 : NEEDED.has(member) ? 2 : 1;
}

/**
 * The same for a record on its way to the log: halves of characters become U+FFFD, since they have no canonical form and
 * grow in a call between objects, and what does not fit is left out and `data.cut` names it. That is members
 * of its data that have no place in the log or are not well formed, and, if it is still too large, the largest ones.
 */
export function fitRecord(given: AuditRecord): ReadRecord {
  const first = readRecord(given);
  const value = "record" in first && !first.halves ? given : wellFormed(given);
  const whole = value === given ? first : readRecord(value);
  if ("record" in whole || !isJsonObject(value.data)) return whole;
  const data = { ...value.data };
  const cut: string[] = [];
  const without = (names: Iterable<string>): ReadRecord => {
    for (const name of names) {
      delete data[name];
      cut.push(name.slice(0, 64));
    }
    return readRecord({ ...value, data: { ...data, cut: cut.slice(0, 100) } });
  };
  const form = dataSchema(value.type).safeParse(data);
  let read = form.success ? whole : without(faultyMembers(form.error));
  const bySize = Object.keys(data)
    .map((name) => ({ name, size: textOf(data[name])?.length ?? Infinity }))
    .toSorted((a, b) => rank(a.name) - rank(b.name) || b.size - a.size);
  for (const { name } of bySize) {
    if ("record" in read) return read;
    read = without([name]);
  }
  return "record" in read ? read : whole;
}

/** JSON writes half a character as its escape, and no whole one so; what stands behind a second backslash is text. */
const HALF = /(?<!\\)((?:\\\\)*)\\u[dD][89a-fA-F][0-9a-fA-F]{2}/;
const HALVES = new RegExp(HALF, "g");

/** The record with U+FFFD in place of halves of characters: only so it has a canonical form. */
export function wellFormed(value: AuditRecord): AuditRecord {
  const text = textOf(value);
  return text === null ? value : (JSON.parse(text.replace(HALVES, "$1\ufffd")) as AuditRecord);
}

function faultyMembers(error: z.ZodError): Set<string> {
  const names = error.issues.flatMap((issue) =>
    issue.path.length === 0 && issue.code === "unrecognized_keys" ? issue.keys : [issue.path[0]],
  );
  return new Set(names.map(String));
}

/** Unix milliseconds at which an event id was made; null for anything else. */
export function eventTime(eventId: string): number | null {
  const digits = EVENT_ID.exec(eventId)?.[1];
  if (digits === undefined) return null;
  let time = 0;
  for (const digit of digits) time = time * 62 + valueOf(digit);
  return time;
}

/** A bound that stands before every event id of this time, in Unix milliseconds, and after every older one. */
export function firstEventId(time: number): string {
  return `evt_${timeOrderedId(time).slice(0, 8)}`;
}

/** The value of a base62 digit, in the order of the alphabet that ids are made of: 0–9, A–Z, a–z. */
function valueOf(digit: string): number {
  const code = digit.charCodeAt(0);
  if (code <= 57) return code - 48;
  return code <= 90 ? code - 55 : code - 61;
}

function faults(error: z.ZodError): string {
  const names = error.issues.map((issue) =>
    issue.code === "unrecognized_keys"
      ? "members it may not have"
      : issue.path.join(".") || "shape",
  );
  return [...new Set(names)].join(", ");
}

function textOf(value: unknown): string | null {
  try {
    return JSON.stringify(value) ?? null;
  } catch {
    return null;
  }
}

const utf8 = new TextEncoder();

function bytesOf(text: string): number {
  return utf8.encode(text).length;
}
