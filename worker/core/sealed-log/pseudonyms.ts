import { createHmac } from "node:crypto";
import type { AuditRecord } from "../audit.ts";
import { base62 } from "../ids.ts";
import { isJsonObject } from "../json.ts";
import type { Json, JsonObject } from "../json.ts";

// The log names people by pseudonyms: keyed hashes whose salt lies beside the log, one per person. Who deletes the salt
// unlinks the person from every record, and no hash of the log changes.

export type PersonKind = "user" | "customer" | "email" | "name" | "address" | "text";

/** A person, as rows name it. */
export interface PersonId {
  kind: "user" | "customer";
  id: string;
}

/**
 * Gives a person's pseudonym, the same each time while its salt exists. `owner`: whose e-mail address, name or network
 * address it is, as far as the record tells.
 */
export type Pseudonyms = (kind: PersonKind, value: string, owner: PersonId | null) => string;

const PREFIX = "psn_";
/** A pseudonym wherever it stands in a text of a record. */
export const PSEUDONYM = /psn_[0-9A-Za-z]{22}/g;

/** What stands for a person in the log: the same for the same person, and nothing without the salt. */
export function pseudonymOf(salt: Uint8Array, kind: PersonKind, value: string): string {
  const digest = createHmac("sha256", salt).update(`${kind}\0${value}`).digest();
  return PREFIX + base62(new Uint8Array(digest).subarray(0, 16), 22);
}

/** Members that name a person, whatever event they stand in. */
const MEMBERS: Readonly<Record<string, PersonKind>> = {
  user_id: "user",
  user_ids: "user",
  changed_by: "user",
  user_email: "email",
  user_alias: "name",
  key_alias: "name",
  customer_id: "customer",
  customer_ids: "customer",
  end_user_id: "customer",
  address: "address",
  client_ip: "address",
};

/** The same in events about customers, whose rows call the customer `user_id`. */
const OF_CUSTOMERS: Readonly<Record<string, PersonKind>> = {
  ...MEMBERS,
  user_id: "customer",
  user_ids: "customer",
  alias: "name",
};

const ABOUT_USERS = /^(user\.|role\.|organization\.member_)/;
/** Who acts without being a person. */
const NOBODY = /^(master|service|session|key)(:|$)/;

/** Members that together are a ledger's scope, which may be a person. */
const SCOPES = [
  ["kind", "id"],
  ["scope", "scope_id"],
] as const;
/** Free text that belongs to a row: of a person's row it is a person's. */
const FREE = "metadata";
const EMAIL = /[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g;

/** The record with pseudonyms in the place of users, customers and addresses. */
export function pseudonymized(record: AuditRecord, of: Pseudonyms): AuditRecord {
  const customers = record.type.startsWith("customer.");
  const members = customers ? OF_CUSTOMERS : MEMBERS;
  const person = subjectOf(record);
  const change = "updated_values" in record.data || "before_value" in record.data;
  const data = hidden(record.data, { members, of, change }, person);
  if (person !== null) data["object_id"] = of(person.kind, person.id, null);
  const [, user] = /^user:(.+)$/s.exec(record.actor) ?? [];
  return {
    ...record,
    data,
    ...(user !== undefined && { actor: `user:${of("user", user, null)}` }),
  };
}

/** The person that an event is about. */
function subjectOf({ type, data }: AuditRecord): PersonId | null {
  const { object_id: id } = data;
  if (typeof id !== "string") return null;
  if (type.startsWith("customer.")) return { kind: "customer", id };
  return ABOUT_USERS.test(type) ? { kind: "user", id } : null;
}

/** How the persons of one record are hidden. */
interface Hiding {
  members: Readonly<Record<string, PersonKind>>;
  of: Pseudonyms;
  /** An administrative change, whose rows hold what their authors wrote. */
  change: boolean;
}

function hidden(value: JsonObject, hiding: Hiding, around: PersonId | null): JsonObject {
  const { members, of } = hiding;
  const out: JsonObject = {};
  const owner = personIn(value, members) ?? around;
  for (const [name, each] of Object.entries(value)) {
    const said = members[name.slice(name.lastIndexOf(".") + 1)];
    const free = name === FREE && owner !== null ? "text" : said;
    out[name] = each === undefined ? each : replaced(each, free, hiding, owner);
  }
  // A scope stands as { kind, id }, as { scope, scope_id }, or in one text.
  for (const [kind, id] of SCOPES) {
    const [named, which] = [value[kind], value[id]];
    if (typeof named === "string" && typeof which === "string")
      out[id] = scopeId(named, which, of) ?? out[id];
  }
  const { attached_to: text } = value;
  const [, named, which] = (typeof text === "string" && /^([a-z_]+):(.+)$/s.exec(text)) || [];
  const hiddenId = named === undefined ? null : scopeId(named, which ?? "", of);
  if (hiddenId !== null) out["attached_to"] = `${named}:${hiddenId}`;
  return out;
}

/** A ledger scope's id with its person hidden; null for a scope that names none. */
function scopeId(kind: string, id: string, of: Pseudonyms): string | null {
  if (kind === "user" || kind === "customer") return of(kind, id, null);
  if (kind !== "team_member") return null;
  const at = id.indexOf("/") + 1;
  return id.slice(0, at) + of("user", id.slice(at), null);
}

/** Whom an object is about: the person that it names by id. */
function personIn(
  value: JsonObject,
  members: Readonly<Record<string, PersonKind>>,
): PersonId | null {
  for (const name of ["user_id", "customer_id", "end_user_id"]) {
    const [kind, id] = [members[name], value[name]];
    if (kind !== "user" && kind !== "customer") continue;
    if (typeof id === "string" && id !== "") return { kind, id };
  }
  return null;
}

function replaced(
  value: Json,
  kind: PersonKind | undefined,
  hiding: Hiding,
  owner: PersonId | null,
): Json {
  if (Array.isArray(value)) return value.map((each) => replaced(each, kind, hiding, owner));
  if (isJsonObject(value)) {
    if (kind !== "text") return hidden(value, hiding, owner);
    const members = Object.entries(value).map(([name, each]): [string, Json] => [
      name,
      replaced(each ?? null, kind, hiding, owner),
    ]);
    return Object.fromEntries(members);
  }
  if (typeof value !== "string" || value === "") return value;
  const { of, change } = hiding;
  // What nobody is named by is no person's name.
  if (kind === undefined || (kind === "name" && owner === null))
    return change
      ? value.replaceAll(EMAIL, (each) => of("email", each.toLowerCase(), owner))
      : value;
  if (kind === "user" && NOBODY.test(value)) return value;
  return of(kind, value, kind === "user" || kind === "customer" ? null : owner);
}
