import { and, desc, eq, sql } from "drizzle-orm";
import type { Statement } from "../core/ports.ts";
import { page, statement, writer } from "./database.ts";
import type { Db, Page, PageRequest } from "./database.ts";
import { policies } from "./schema.ts";

export type PolicyRow = typeof policies.$inferSelect;

/** One statement that selects the pointers of all documents in force; for a batch. */
export function pointersQuery(db: Db, orgId: string) {
  return db
    .select({
      scope: policies.scope,
      version: sql<number>`max(${policies.version})`,
      hash: policies.hash,
    })
    .from(policies)
    .where(eq(policies.orgId, orgId))
    .groupBy(policies.scope)
    .orderBy(policies.scope);
}

/** The rows of all documents in force, the organization's first; one of a team that was deleted binds nobody. */
export async function currentPolicies(db: Db, orgId: string): Promise<PolicyRow[]> {
  const rows = await db
    .select()
    .from(policies)
    .where(
      and(
        eq(policies.orgId, orgId),
        sql`(${policies.scope} = 'org' or exists (select 1 from teams t where t.org_id = ${policies.orgId} and t.id = ${policies.scope}))`,
        sql`${policies.version} = (select max(p.version) from policies p where p.org_id = ${policies.orgId} and p.scope = ${policies.scope})`,
      ),
    );
  return rows.toSorted((a, b) => Number(b.scope === "org") - Number(a.scope === "org"));
}

/** A version of a document; the one in force if none is named. */
export async function findPolicy(
  db: Db,
  orgId: string,
  scope: string,
  version?: number,
): Promise<PolicyRow | null> {
  const [row] = await db
    .select()
    .from(policies)
    .where(
      and(
        eq(policies.orgId, orgId),
        eq(policies.scope, scope),
        ...(version === undefined ? [] : [eq(policies.version, version)]),
      ),
    )
    .orderBy(desc(policies.version))
    .limit(1);
  return row ?? null;
}

/** The versions of a document, newest first. */
export function listPolicyVersions(
  db: Db,
  orgId: string,
  scope: string,
  request: PageRequest,
): Promise<Page<PolicyRow>> {
  const where = and(eq(policies.orgId, orgId), eq(policies.scope, scope));
  const rows = db.select().from(policies).where(where).orderBy(desc(policies.version));
  return page(request, db.$count(policies, where), rows);
}

export function insertPolicy(orgId: string, row: PolicyRow): Statement {
  return statement(writer.insert(policies).values({ ...row, orgId }));
}
