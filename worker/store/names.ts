import { and, eq } from "drizzle-orm";
import { shownOrgId } from "../core/ids.ts";
import { among } from "./database.ts";
import type { Db } from "./database.ts";
import { customers, keys, organizations, teams, users } from "./schema.ts";

/** What people call things, by id. What is gone has no entry. */
export type Names = ReadonlyMap<string, Record<string, string | null>>;

/** Names are a courtesy: of very long lists only the beginning is looked up. */
const MOST = 2_000;

function byId<Row extends { id: string }>(
  rows: Row[],
  named: (row: Row) => Record<string, string | null>,
): Names {
  return new Map(rows.map((row) => [row.id, named(row)]));
}

export async function orgNames(db: Db, ids: string[]): Promise<Names> {
  const rows = await db
    .select({ id: organizations.id, alias: organizations.alias })
    .from(organizations)
    .where(among(organizations.id, ids.slice(0, MOST)));
  return byId(rows, ({ alias }) => ({ organization_alias: alias }));
}

export async function teamNames(db: Db, orgId: string, ids: string[]): Promise<Names> {
  const rows = await db
    .select({ id: teams.id, alias: teams.alias })
    .from(teams)
    .where(and(eq(teams.orgId, orgId), among(teams.id, ids.slice(0, MOST))));
  return byId(rows, ({ alias }) => ({ team_alias: alias }));
}

export async function userNames(db: Db, orgId: string, ids: string[]): Promise<Names> {
  const rows = await db
    .select({ id: users.id, email: users.email, alias: users.alias })
    .from(users)
    .where(and(eq(users.orgId, orgId), among(users.id, ids.slice(0, MOST))));
  return byId(rows, ({ email, alias }) => ({ user_email: email, user_alias: alias }));
}

export async function customerNames(db: Db, orgId: string, ids: string[]): Promise<Names> {
  const rows = await db
    .select({ id: customers.id, alias: customers.alias })
    .from(customers)
    .where(and(eq(customers.orgId, orgId), among(customers.id, ids.slice(0, MOST))));
  return byId(rows, ({ alias }) => ({ alias }));
}

/** Of keys of several organizations; a key id is of one of them alone. */
export async function keyNames(db: Db, orgIds: readonly string[], ids: string[]): Promise<Names> {
  const rows = await db
    .select({ id: keys.id, orgId: keys.orgId, alias: keys.alias, teamId: keys.teamId })
    .from(keys)
    .where(and(among(keys.orgId, orgIds), among(keys.id, ids.slice(0, MOST))));
  return byId(rows, ({ orgId, alias, teamId }) => ({
    key_alias: alias,
    team_id: teamId,
    organization_id: shownOrgId(orgId),
  }));
}
