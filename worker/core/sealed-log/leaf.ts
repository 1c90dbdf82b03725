import canonicalize from "canonicalize";
import { fromHex, sha256, toHex } from "../bytes.ts";
import type { AuditRecord } from "../audit.ts";
import { shownOrgId } from "../ids.ts";
import { isJsonObject } from "../json.ts";
import type { Json, JsonObject } from "../json.ts";
import type { Hash } from "./merkle.ts";

// What is hashed: a record as it is shown in canonical JSON (RFC 8785), and its leaf.

const FORMAT = 1;
const HASH = /^sha256:[0-9a-f]{64}$/;
/** What the first leaf names as the one before it. */
export const NO_LEAF: Hash = new Uint8Array(32);

/** A record in the form in which it is sealed and shown. */
export function sealedRecord(record: AuditRecord): JsonObject {
  const { eventId, type, at, orgId, teamId, keyHandle, actor, requestId, data } = record;
  return {
    ...data,
    v: FORMAT,
    event_id: eventId,
    event_type: type,
    timestamp: new Date(at).toISOString().replace("Z", "000Z"),
    workspace_id: `ws_${orgId}`,
    org_id: shownOrgId(orgId),
    actor,
    ...(teamId !== undefined && { team_id: teamId }),
    ...(keyHandle !== undefined && { user_key_hash: keyHandle }),
    ...(requestId !== undefined && { request_id: requestId }),
  };
}

/** The canonical text of a value; null where it has none (halves of characters, numbers that are none). */
export function canonicalText(value: JsonObject): string | null {
  try {
    return plainText(value) ?? canonicalize(value) ?? null;
  } catch {
    return null;
  }
}

/** Where JSON.stringify has escaped half a character, or a backslash of the text looks as if it had. */
const HALVES = /\\ud[89a-f]/;

/**
 * The same in a fraction of the time, for what records nearly always are: the runtime writes numbers and texts as RFC 8785
 * wants them, and members in the order in which they were set, unless their names are numbers. Undefined for anything else.
 */
function plainText(value: JsonObject): string | undefined {
  const ordered = inOrder(value);
  const text = ordered === undefined ? undefined : JSON.stringify(ordered);
  return text === undefined || HALVES.test(text) ? undefined : text;
}

function inOrder(value: unknown): unknown {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  if (typeof value !== "object") return undefined;
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    for (let at = 0; at < value.length; at++) {
      const each = inOrder(value[at]);
      if (each === undefined) return undefined;
      list.push(each);
    }
    return list;
  }
  if ("toJSON" in value) return undefined;
  const out: Record<string, unknown> = {};
  for (const name of Object.keys(value).toSorted()) {
    const of = (value as Record<string, unknown>)[name];
    if (of === undefined) continue;
    const each = inOrder(of);
    if (each === undefined || name === "__proto__" || /^\d/.test(name)) return undefined;
    out[name] = each;
  }
  return out;
}

/** What the tree holds of a record. */
export interface Leaf {
  sequence: number;
  eventId: string;
  /** Hash of the leaf before this one: the leaves are a chain and a tree at once. */
  previous: Hash;
  /** SHA-256 of the record's canonical text. */
  recordHash: Hash;
}

/** The hash of a record's canonical text, as its leaf holds it. */
export function recordHash(text: string): Hash {
  return sha256(text);
}

/** The text of a leaf: canonical JSON, ASCII only. */
export function leafText({ sequence, eventId, previous, recordHash: hash }: Leaf): string {
  return `{"event_id":${JSON.stringify(eventId)},"previous_event_hash":"${shownHash(previous)}","record_hash":"${shownHash(hash)}","sequence":${sequence},"v":${FORMAT}}`;
}

/** Reads a leaf; null for one that is not written exactly so. */
export function readLeaf(bytes: Uint8Array): Leaf | null {
  let value: Json;
  const text = new TextDecoder().decode(bytes);
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return null;
  }
  if (!isJsonObject(value)) return null;
  const { event_id: eventId, previous_event_hash: before, record_hash: hash, sequence } = value;
  if (typeof eventId !== "string" || !isHash(before) || !isHash(hash)) return null;
  if (typeof sequence !== "number" || !Number.isSafeInteger(sequence)) return null;
  const leaf = { sequence, eventId, previous: hashOf(before), recordHash: hashOf(hash) };
  return leafText(leaf) === text && text.length === bytes.length ? leaf : null;
}

/** A hash as records show it: `sha256:` and hexadecimal digits. */
export function shownHash(hash: Hash): string {
  return `sha256:${toHex(hash)}`;
}

function isHash(value: Json | undefined): value is string {
  return typeof value === "string" && HASH.test(value);
}

function hashOf(text: string): Hash {
  return fromHex(text.slice("sha256:".length));
}

/** The record of a line, if it is one in canonical form. */
export function recordIn(
  text: string,
): { text: string; value: JsonObject; eventId: string } | null {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return null;
  }
  if (!isJsonObject(value) || typeof value["event_id"] !== "string") return null;
  return canonicalText(value) === text ? { text, value, eventId: value["event_id"] } : null;
}
