import { and, asc, eq, getTableColumns, or, sql } from "drizzle-orm";
import type { Statement } from "../core/ports.ts";
import type { CredentialRecord } from "../core/records.ts";
import { page, statement, writer } from "./database.ts";
import type { Db, Page, PageRequest } from "./database.ts";
import { credentials } from "./schema.ts";

const { sealed: _sealed, ...shown } = getTableColumns(credentials);

/** A credential without its secret. */
export type CredentialRow = Omit<typeof credentials.$inferSelect, "sealed">;
export type NewCredential = Omit<typeof credentials.$inferInsert, "orgId">;

/** The credential with this id, or else with this name. */
export async function findCredential(
  db: Db,
  orgId: string,
  idOrName: string,
): Promise<CredentialRow | null> {
  const rows = await db
    .select(shown)
    .from(credentials)
    .where(
      and(
        eq(credentials.orgId, orgId),
        or(eq(credentials.id, idOrName), eq(credentials.name, idOrName)),
      ),
    )
    .orderBy(sql`${credentials.id} = ${idOrName} desc`)
    .limit(1);
  return rows[0] ?? null;
}

/** Credentials of an organization, oldest first. */
export function listCredentials(
  db: Db,
  orgId: string,
  request: PageRequest = {},
): Promise<Page<CredentialRow>> {
  const where = eq(credentials.orgId, orgId);
  const rows = db
    .select(shown)
    .from(credentials)
    .where(where)
    .orderBy(asc(credentials.createdAt), asc(credentials.id))
    .$dynamic();
  return page(request, db.$count(credentials, where), rows);
}

export function insertCredential(orgId: string, row: NewCredential): Statement {
  return statement(writer.insert(credentials).values({ ...row, orgId }));
}

/** What the vault opens. */
export function credentialRecord(row: typeof credentials.$inferSelect): CredentialRecord {
  return {
    id: row.id,
    provider: row.provider,
    host: row.host,
    version: row.version,
    sealed: row.sealed,
    lastFour: row.lastFour,
  };
}
