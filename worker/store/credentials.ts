import { and, asc, eq, getTableColumns, isNotNull, isNull, or, sql } from "drizzle-orm";
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

/** What a credential is for: a name that models refer to, the provider as a whole, or one deployment. */
export type CredentialUse = "named" | "byok" | "deployment";

/** Credentials of an organization, oldest first; with `use`, those of one kind. */
export function listCredentials(
  db: Db,
  orgId: string,
  request: PageRequest & { use?: CredentialUse; provider?: string } = {},
): Promise<Page<CredentialRow>> {
  const { use, provider } = request;
  const where = and(
    eq(credentials.orgId, orgId),
    use === undefined ? undefined : eq(credentials.byok, use === "byok"),
    use === "named" ? isNotNull(credentials.name) : undefined,
    use === "deployment" ? isNull(credentials.name) : undefined,
    provider === undefined ? undefined : eq(credentials.provider, provider),
  );
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

/** Changes a credential. A new secret comes with the version that it was sealed for. */
export function updateCredential(
  orgId: string,
  id: string,
  patch: Partial<Omit<NewCredential, "id" | "createdAt" | "createdBy">>,
): Statement {
  const where = and(eq(credentials.orgId, orgId), eq(credentials.id, id));
  return statement(writer.update(credentials).set(patch).where(where));
}

export function deleteCredential(orgId: string, id: string): Statement {
  const where = and(eq(credentials.orgId, orgId), eq(credentials.id, id));
  return statement(writer.delete(credentials).where(where));
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
    ...(row.byok && { byok: true }),
  };
}
