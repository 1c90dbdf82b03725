import { createHmac } from "node:crypto";
import type { AuditRecord } from "../audit.ts";
import { base62 } from "../ids.ts";
import { isJsonObject } from "../json.ts";
import type { Json, JsonObject } from "../json.ts";

// The log names people by pseudonyms: keyed hashes whose salt lies beside the log, one per person. Who deletes the salt
// unlinks the person from every record, and no hash of the log changes.

export type PersonKind = "user" | "customer" | "email" | "name" | "address";

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

/** Kinds of ledger scopes that name a person. */
const SCOPES: Readonly<Record<string, PersonKind>> = {
  user: "user",
  team_member: "user",
  customer: "customer",
};

const ABOUT_USERS = /^(user\.|role\.|organization\.member_)/;
/** Who acts without being a person. */
const NOBODY = /^(master|service|session|key)(:|$)/;

/** The record with pseudonyms in the place of users, customers and addresses. */
export function pseudonymized(record: AuditRecord, of: Pseudonyms): AuditRecord {
  const customers = record.type.startsWith("customer.");
  const members = customers ? OF_CUSTOMERS : MEMBERS;
  const person = subjectOf(record);
  const data = hidden(record.data, members, of, person);
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

function hidden(
  value: JsonObject,
  members: Readonly<Record<string, PersonKind>>,
  of: Pseudonyms,
  around: PersonId | null,
): JsonObject {
  const out: JsonObject = {};
  const owner = personIn(value, members) ?? around;
  const { kind } = value;
  const scope = typeof kind === "string" ? SCOPES[kind] : undefined;
  for (const [name, each] of Object.entries(value)) {
    const said = name === "id" ? scope : members[name.slice(name.lastIndexOf(".") + 1)];
    out[name] = each === undefined ? each : replaced(each, said, members, of, owner);
  }
  return out;
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
  members: Readonly<Record<string, PersonKind>>,
  of: Pseudonyms,
  owner: PersonId | null,
): Json {
  if (Array.isArray(value)) return value.map((each) => replaced(each, kind, members, of, owner));
  if (isJsonObject(value)) return hidden(value, members, of, owner);
  if (kind === undefined || typeof value !== "string" || value === "") return value;
  if (kind === "user" && NOBODY.test(value)) return value;
  return of(kind, value, kind === "user" || kind === "customer" ? null : owner);
}
