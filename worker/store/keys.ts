import { and, asc, eq, getTableColumns, isNotNull, or, sql } from "drizzle-orm";
import type { Statement } from "../core/ports.ts";
import { keyRoutingOf } from "../core/router-settings.ts";
import type { KeyRecord } from "../core/records.ts";
import { among, page, statement, writer } from "./database.ts";
import type { Db, Page, PageRequest } from "./database.ts";
import { keys } from "./schema.ts";

const {
  hash: _hash,
  pepperVersion: _pepper,
  checkVersion: _check,
  previousHash: _previous,
  previousPepperVersion: _previousPepper,
  previousCheckVersion: _previousCheck,
  ...shown
} = getTableColumns(keys);

/** A key without what proves its token. */
export type KeyRow = Omit<
  typeof keys.$inferSelect,
  | "hash"
  | "pepperVersion"
  | "checkVersion"
  | "previousHash"
  | "previousPepperVersion"
  | "previousCheckVersion"
>;
export type NewKey = Omit<typeof keys.$inferInsert, "orgId" | "revision" | "checkVersion">;
export type KeyPatch = Partial<Omit<NewKey, "id" | "handle" | "createdAt" | "createdBy">>;

/** The columns of `KeyRow`, for queries that join keys. */
export const KEY_COLUMNS = shown;

/** The key with this id, handle (`sha256:…`) or alias, in this order. */
export async function findKey(db: Db, orgId: string, name: string): Promise<KeyRow | null> {
  const rows = await db
    .select(shown)
    .from(keys)
    .where(
      and(
        eq(keys.orgId, orgId),
        or(eq(keys.id, name), eq(keys.handle, name), eq(keys.alias, name)),
      ),
    )
    .orderBy(sql`${keys.id} = ${name} desc, ${keys.handle} = ${name} desc`)
    .limit(1);
  return rows[0] ?? null;
}

export interface KeyFilter {
  keyId?: string;
  teamId?: string;
  userId?: string;
  alias?: string;
}

function matching(orgId: string, filter: KeyFilter) {
  return and(
    eq(keys.orgId, orgId),
    filter.keyId === undefined ? undefined : eq(keys.id, filter.keyId),
    filter.teamId === undefined ? undefined : eq(keys.teamId, filter.teamId),
    filter.userId === undefined ? undefined : eq(keys.userId, filter.userId),
    filter.alias === undefined ? undefined : eq(keys.alias, filter.alias),
  );
}

/** Keys of an organization, oldest first. */
export function listKeys(
  db: Db,
  orgId: string,
  request: PageRequest & KeyFilter = {},
): Promise<Page<KeyRow>> {
  const where = matching(orgId, request);
  const rows = db
    .select(shown)
    .from(keys)
    .where(where)
    .orderBy(asc(keys.createdAt), asc(keys.id))
    .$dynamic();
  return page(request, db.$count(keys, where), rows);
}

/** Aliases of an organization's keys, in their own order. */
export async function keyAliases(
  db: Db,
  orgId: string,
  request: PageRequest & KeyFilter & { search?: string } = {},
): Promise<Page<string>> {
  const { search } = request;
  const where = and(
    matching(orgId, request),
    isNotNull(keys.alias),
    search === undefined
      ? undefined
      : sql`instr(lower(${keys.alias}), ${search.toLowerCase()}) > 0`,
  );
  const rows = db
    .select({ alias: keys.alias })
    .from(keys)
    .where(where)
    .orderBy(asc(keys.alias))
    .$dynamic();
  const found = await page(request, db.$count(keys, where), rows);
  return { ...found, rows: found.rows.flatMap(({ alias }) => (alias === null ? [] : [alias])) };
}

/** The keys that die with a team, a user, or a user's place in a team. */
export interface KeysOf {
  teamIds?: readonly string[];
  userIds?: readonly string[];
}

function dependent(orgId: string, of: KeysOf) {
  return and(
    eq(keys.orgId, orgId),
    of.teamIds === undefined ? undefined : among(keys.teamId, of.teamIds),
    of.userIds === undefined ? undefined : among(keys.userId, of.userIds),
  );
}

/** Ids and handles of those keys, oldest first. */
export function keysOf(
  db: Db,
  orgId: string,
  of: KeysOf,
): Promise<{ id: string; handle: string; teamId: string | null }[]> {
  return db
    .select({ id: keys.id, handle: keys.handle, teamId: keys.teamId })
    .from(keys)
    .where(dependent(orgId, of))
    .orderBy(asc(keys.createdAt), asc(keys.id))
    .all();
}

export function deleteKeysOf(orgId: string, of: KeysOf): Statement {
  return statement(writer.delete(keys).where(dependent(orgId, of)));
}

export function deleteKeys(orgId: string, ids: readonly string[]): Statement {
  return statement(writer.delete(keys).where(and(eq(keys.orgId, orgId), among(keys.id, ids))));
}

/** What tokens of a key are proved against. */
export interface KeyHashes {
  hash: string;
  pepperVersion: number;
  revision: number;
  /** The token before the last regeneration, and the instant (Unix milliseconds) from which it counts no more. */
  previous: { hash: string; pepperVersion: number; until: number } | null;
}

/** What a token of this key is proved against; for key-check objects alone. */
export async function findKeyHash(db: Db, orgId: string, keyId: string): Promise<KeyHashes | null> {
  const rows = await db
    .select({
      hash: keys.hash,
      pepperVersion: keys.pepperVersion,
      revision: keys.revision,
      previousHash: keys.previousHash,
      previousPepperVersion: keys.previousPepperVersion,
      previousUntil: keys.previousUntil,
    })
    .from(keys)
    .where(and(eq(keys.orgId, orgId), eq(keys.id, keyId)))
    .limit(1);
  const [row] = rows;
  if (!row) return null;
  const { previousHash: hash, previousPepperVersion, previousUntil: until, ...own } = row;
  const known = hash !== null && previousPepperVersion !== null && until !== null;
  return {
    ...own,
    previous: known ? { hash, pepperVersion: previousPepperVersion, until } : null,
  };
}

export function insertKey(orgId: string, row: NewKey): Statement {
  // A new token is checked and hashed by one pepper.
  return statement(writer.insert(keys).values({ ...row, orgId, checkVersion: row.pepperVersion }));
}

/** Every change of a key raises its revision, which ends all proofs that isolates hold of it. */
export function updateKey(orgId: string, id: string, patch: KeyPatch): Statement {
  return statement(
    writer
      .update(keys)
      .set({ ...patch, revision: sql`${keys.revision} + 1` })
      .where(and(eq(keys.orgId, orgId), eq(keys.id, id))),
  );
}

/**
 * Gives a key another token. The one that it had counts until `graceUntil` (Unix milliseconds), or no more; the one
 * before that counts no more in any case.
 */
export function replaceToken(
  orgId: string,
  id: string,
  token: { hash: string; pepperVersion: number; name: string },
  graceUntil: number | null,
  patch: KeyPatch,
): Statement {
  const previous =
    graceUntil === null
      ? {
          previousHash: null,
          previousPepperVersion: null,
          previousCheckVersion: null,
          previousUntil: null,
        }
      : {
          previousHash: sql`${keys.hash}`,
          previousPepperVersion: sql`${keys.pepperVersion}`,
          previousCheckVersion: sql`${keys.checkVersion}`,
          previousUntil: graceUntil,
        };
  return statement(
    writer
      .update(keys)
      .set({
        ...patch,
        ...token,
        ...previous,
        checkVersion: token.pepperVersion,
        revision: sql`${keys.revision} + 1`,
      })
      .where(and(eq(keys.orgId, orgId), eq(keys.id, id))),
  );
}

/** What the path needs of a key. */
export function keyRecord(row: KeyRow): KeyRecord {
  return {
    id: row.id,
    handle: row.handle,
    name: row.name,
    alias: row.alias ?? undefined,
    keyType: row.keyType,
    teamId: row.teamId ?? undefined,
    userId: row.userId ?? undefined,
    models: row.models,
    aliases: row.aliases,
    allowedIps: row.allowedIps,
    expiresAt: row.expiresAt ?? undefined,
    blocked: row.blocked,
    routing: keyRoutingOf(row.routerSettings),
    revision: row.revision,
    metadata: row.metadata,
  };
}
