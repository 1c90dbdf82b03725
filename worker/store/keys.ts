import { and, asc, eq, getTableColumns, or, sql } from "drizzle-orm";
import type { Statement } from "../core/ports.ts";
import type { KeyRecord } from "../core/records.ts";
import { page, statement, writer } from "./database.ts";
import type { Db, Page, PageRequest } from "./database.ts";
import { keys } from "./schema.ts";

const { hash: _hash, pepperVersion: _pepper, ...shown } = getTableColumns(keys);

/** A key without what proves its token. */
export type KeyRow = Omit<typeof keys.$inferSelect, "hash" | "pepperVersion">;
export type NewKey = Omit<typeof keys.$inferInsert, "orgId" | "revision">;
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
  teamId?: string;
  userId?: string;
  alias?: string;
}

/** Keys of an organization, oldest first. */
export function listKeys(
  db: Db,
  orgId: string,
  request: PageRequest & KeyFilter = {},
): Promise<Page<KeyRow>> {
  const where = and(
    eq(keys.orgId, orgId),
    request.teamId === undefined ? undefined : eq(keys.teamId, request.teamId),
    request.userId === undefined ? undefined : eq(keys.userId, request.userId),
    request.alias === undefined ? undefined : eq(keys.alias, request.alias),
  );
  const rows = db
    .select(shown)
    .from(keys)
    .where(where)
    .orderBy(asc(keys.createdAt), asc(keys.id))
    .$dynamic();
  return page(request, db.$count(keys, where), rows);
}

/** What a token of this key is proved against; for key-check objects alone. */
export async function findKeyHash(
  db: Db,
  orgId: string,
  keyId: string,
): Promise<{ hash: string; pepperVersion: number; revision: number } | null> {
  const rows = await db
    .select({ hash: keys.hash, pepperVersion: keys.pepperVersion, revision: keys.revision })
    .from(keys)
    .where(and(eq(keys.orgId, orgId), eq(keys.id, keyId)))
    .limit(1);
  return rows[0] ?? null;
}

export function insertKey(orgId: string, row: NewKey): Statement {
  return statement(writer.insert(keys).values({ ...row, orgId }));
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
    revision: row.revision,
    metadata: row.metadata,
  };
}
