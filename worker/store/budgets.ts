import { and, asc, eq, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { Statement } from "../core/ports.ts";
import { among, page, statement, writer } from "./database.ts";
import type { Db, Page, PageRequest } from "./database.ts";
import { budgets, customers, keys, organizations, teams, users } from "./schema.ts";

export type BudgetRow = typeof budgets.$inferSelect;
export type BudgetPatch = Partial<Omit<BudgetRow, "orgId" | "id" | "createdAt" | "createdBy">>;

/** Tables whose rows may name a budget, by the kind of scope that a row of theirs is. */
const HOLDERS = { team: teams, user: users, key: keys, customer: customers } as const;

export type HolderKind = keyof typeof HOLDERS | "org";

/** A row that takes its limits from a budget. */
export interface Holder {
  kind: HolderKind;
  id: string;
  /** The team whose ledger keeps a key; null for everything else. */
  teamId: string | null;
}

export async function findBudget(db: Db, orgId: string, id: string): Promise<BudgetRow | null> {
  const where = and(eq(budgets.orgId, orgId), eq(budgets.id, id));
  return (await db.select().from(budgets).where(where))[0] ?? null;
}

export function listBudgets(
  db: Db,
  orgId: string,
  request: PageRequest = {},
): Promise<Page<BudgetRow>> {
  const where = eq(budgets.orgId, orgId);
  const rows = db
    .select()
    .from(budgets)
    .where(where)
    .orderBy(asc(budgets.createdAt), asc(budgets.id))
    .$dynamic();
  return page(request, db.$count(budgets, where), rows);
}

/** Everything that takes its limits from a budget. */
export async function holdersOf(db: Db, orgId: string, budgetId: string): Promise<Holder[]> {
  const named = (table: (typeof HOLDERS)[keyof typeof HOLDERS]) =>
    and(eq(table.orgId, orgId), eq(table.budgetId, budgetId));
  const [orgRows, teamRows, userRows, keyRows, customerRows] = await Promise.all([
    db
      .select({ id: organizations.id })
      .from(organizations)
      .where(and(eq(organizations.id, orgId), eq(organizations.budgetId, budgetId))),
    db.select({ id: teams.id }).from(teams).where(named(teams)),
    db.select({ id: users.id }).from(users).where(named(users)),
    db.select({ id: keys.id, teamId: keys.teamId }).from(keys).where(named(keys)),
    db.select({ id: customers.id }).from(customers).where(named(customers)),
  ]);
  return [
    ...orgRows.map(({ id }): Holder => ({ kind: "org", id, teamId: null })),
    ...teamRows.map(({ id }): Holder => ({ kind: "team", id, teamId: id })),
    ...userRows.map(({ id }): Holder => ({ kind: "user", id, teamId: null })),
    ...keyRows.map(({ id, teamId }): Holder => ({ kind: "key", id, teamId })),
    ...customerRows.map(({ id }): Holder => ({ kind: "customer", id, teamId: null })),
  ];
}

export function insertBudget(row: BudgetRow): Statement {
  return statement(writer.insert(budgets).values(row));
}

export function updateBudget(orgId: string, id: string, patch: BudgetPatch): Statement {
  const where = and(eq(budgets.orgId, orgId), eq(budgets.id, id));
  return statement(writer.update(budgets).set(patch).where(where));
}

export function deleteBudgets(orgId: string, ids: readonly string[]): Statement {
  return statement(
    writer.delete(budgets).where(and(eq(budgets.orgId, orgId), among(budgets.id, ids))),
  );
}

/**
 * Gives a row the limits of a budget, or with a null id takes them away. `before` = the budget as it was: a column that
 * differs from it is the row's own, and stays.
 */
export function limitHolder(
  orgId: string,
  { kind, id }: Pick<Holder, "kind" | "id">,
  fields: BudgetPatch & { budgetId?: string | null },
  before: BudgetRow | null = null,
): Statement {
  const { route: _, ...patch } = fields;
  const table = kind === "org" ? organizations : HOLDERS[kind];
  const own = kind === "org" ? undefined : eq(HOLDERS[kind].orgId, orgId);
  const columns = before === null ? patch : unlessOwn(table, patch, before);
  return statement(
    writer
      .update(table)
      .set(columns)
      .where(and(own, eq(table.id, kind === "org" ? orgId : id))),
  );
}

type LimitedTable = typeof organizations | (typeof HOLDERS)[keyof typeof HOLDERS];

function unlessOwn(table: LimitedTable, patch: BudgetPatch, before: BudgetRow): object {
  const columns: Record<string, unknown> = { ...patch };
  for (const name of LIMIT_COLUMNS) {
    if (!(name in patch)) continue;
    const column: SQLiteColumn = table[name];
    const value = (of: Partial<BudgetRow>) => sql.param(of[name] ?? null, column);
    columns[name] =
      sql`case when ${column} is ${value(before)} then ${value(patch)} else ${column} end`;
  }
  return columns;
}

/** The columns that rows share with the budget that they name. */
const LIMIT_COLUMNS = [
  "maxBudgetNano",
  "softBudgetNano",
  "budgetDuration",
  "tpmLimit",
  "rpmLimit",
  "maxParallelRequests",
  "modelMaxBudget",
  "hardCapNano",
  "tiers",
  "tempBudgetNano",
  "tempBudgetUntil",
] as const satisfies (keyof BudgetRow)[];

/** The name under which isolates and ledgers hear that a holder changed. */
export function touchOf({ kind, id }: Pick<Holder, "kind" | "id">): string {
  return kind === "org" ? "shared" : `${kind}:${id}`;
}
