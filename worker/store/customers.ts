import { and, asc, eq, sql } from "drizzle-orm";
import type { NanoUsd } from "../core/money.ts";
import type { Statement } from "../core/ports.ts";
import type { CustomerRules } from "../core/records.ts";
import { among, page, statement, writer } from "./database.ts";
import type { Db, Page, PageRequest } from "./database.ts";
import { customers, usageDaily } from "./schema.ts";

export type CustomerRow = typeof customers.$inferSelect;
export type NewCustomer = Omit<typeof customers.$inferInsert, "orgId">;
export type CustomerPatch = Partial<Omit<NewCustomer, "id" | "createdAt" | "createdBy">>;

export async function findCustomer(db: Db, orgId: string, id: string): Promise<CustomerRow | null> {
  const where = and(eq(customers.orgId, orgId), eq(customers.id, id));
  const rows = await db.select().from(customers).where(where).limit(1);
  return rows[0] ?? null;
}

/** Customers by id; with `teamId`, those that a team looks after. */
export function listCustomers(
  db: Db,
  orgId: string,
  request: PageRequest & { teamId?: string } = {},
): Promise<Page<CustomerRow>> {
  const where = and(
    eq(customers.orgId, orgId),
    request.teamId === undefined ? undefined : eq(customers.teamId, request.teamId),
  );
  const rows = db.select().from(customers).where(where).orderBy(asc(customers.id)).$dynamic();
  return page(request, db.$count(customers, where), rows);
}

/** What was debited for a customer so far, in nano-dollars; null for one that no request ever named. */
export async function customerSpend(db: Db, orgId: string, id: string): Promise<NanoUsd | null> {
  const rows = await db
    .select({ spent: sql<NanoUsd | null>`sum(${usageDaily.costNano})` })
    .from(usageDaily)
    .where(and(eq(usageDaily.orgId, orgId), eq(usageDaily.customerId, id)));
  return rows[0]?.spent ?? null;
}

/** Customers that have rules of their own; one of them is bound wherever it calls. */
export function ruledCustomers(db: Db, orgId: string) {
  return db
    .select({
      id: customers.id,
      region: customers.allowedModelRegion,
      model: customers.defaultModel,
    })
    .from(customers)
    .where(
      and(
        eq(customers.orgId, orgId),
        sql`(${customers.allowedModelRegion} is not null or ${customers.defaultModel} is not null)`,
      ),
    );
}

/** What the path needs of them. */
export function customerRules(
  rows: { id: string; region: string | null; model: string | null }[],
): Record<string, CustomerRules> {
  return Object.fromEntries(
    rows.map(({ id, region, model }) => [
      id,
      { ...(region !== null && { region }), ...(model !== null && { model }) },
    ]),
  );
}

/** How many customers every isolate that serves the organization has in memory. */
export function countHeldCustomers(db: Db, orgId: string): Promise<number> {
  return db.$count(
    customers,
    and(
      eq(customers.orgId, orgId),
      sql`(${customers.blocked} = 1 or ${customers.allowedModelRegion} is not null or ${customers.defaultModel} is not null)`,
    ),
  );
}

export function insertCustomer(orgId: string, row: NewCustomer): Statement {
  return statement(writer.insert(customers).values({ ...row, orgId }));
}

export function updateCustomer(orgId: string, id: string, patch: CustomerPatch): Statement {
  const where = and(eq(customers.orgId, orgId), eq(customers.id, id));
  return statement(writer.update(customers).set(patch).where(where));
}

/** Blocks a customer, described or not. */
export function blockCustomer(orgId: string, row: NewCustomer): Statement {
  const { updatedAt, updatedBy } = row;
  return statement(
    writer
      .insert(customers)
      .values({ ...row, orgId, blocked: true })
      .onConflictDoUpdate({
        target: [customers.orgId, customers.id],
        set: { blocked: true, updatedAt, updatedBy },
      }),
  );
}

export function deleteCustomers(orgId: string, ids: readonly string[]): Statement {
  const where = and(eq(customers.orgId, orgId), among(customers.id, ids));
  return statement(writer.delete(customers).where(where));
}

/** Leaves customers without the teams that looked after them. */
export function releaseCustomers(orgId: string, teamIds: readonly string[]): Statement {
  const where = and(eq(customers.orgId, orgId), among(customers.teamId, teamIds));
  return statement(writer.update(customers).set({ teamId: null }).where(where));
}
