import { asc, eq, or, sql } from "drizzle-orm";
import type { SQL } from "drizzle-orm";
import { bareOrgId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Statement } from "../core/ports.ts";
import type { OrgRecord } from "../core/records.ts";
import { page, statement, writer } from "./database.ts";
import type { Db, Page, PageRequest } from "./database.ts";
import {
  credentials,
  customers,
  deployments,
  invitations,
  keys,
  organizations,
  teamMembers,
  teams,
  users,
  budgets,
  overbilling,
} from "./schema.ts";

export type OrgRow = typeof organizations.$inferSelect;
export type NewOrg = typeof organizations.$inferInsert;
export type OrgPatch = Partial<Omit<NewOrg, "id" | "createdAt" | "createdBy">>;

/** The organization with this id (bare or `org_…`) or with this chosen id. */
export async function findOrg(db: Db, orgIdOrChosen: string): Promise<OrgRow | null> {
  const rows = await db
    .select()
    .from(organizations)
    .where(
      or(eq(organizations.id, bareOrgId(orgIdOrChosen)), eq(organizations.chosenId, orgIdOrChosen)),
    )
    .orderBy(sql`${organizations.id} = ${bareOrgId(orgIdOrChosen)} desc`)
    .limit(1);
  return rows[0] ?? null;
}

/** The one organization of an alias; null where there is none, or several. */
export async function findOrgByAlias(db: Db, alias: string): Promise<OrgRow | null> {
  const rows = await db.select().from(organizations).where(eq(organizations.alias, alias)).limit(2);
  return rows.length === 1 ? (rows[0] ?? null) : null;
}

/** All organizations of the platform, oldest first; for platform administrators alone. */
export function listOrgs(db: Db, request: PageRequest): Promise<Page<OrgRow>> {
  const rows = db
    .select()
    .from(organizations)
    .orderBy(asc(organizations.createdAt), asc(organizations.id))
    .$dynamic();
  return page(request, db.$count(organizations), rows);
}

/** Bare ids of organizations, oldest first. */
export async function orgIds(db: Db, limit: number): Promise<string[]> {
  const rows = await db
    .select({ id: organizations.id })
    .from(organizations)
    .orderBy(asc(organizations.createdAt), asc(organizations.id))
    .limit(limit);
  return rows.map((row) => row.id);
}

/** The bare id of the oldest organization; null before there is one. */
export async function firstOrgId(db: Db): Promise<string | null> {
  const rows = await db
    .select({ id: organizations.id })
    .from(organizations)
    .orderBy(asc(organizations.createdAt), asc(organizations.id))
    .limit(1);
  return rows[0]?.id ?? null;
}

export function insertOrg(row: NewOrg): Statement {
  return statement(writer.insert(organizations).values(row));
}

export function updateOrg(orgId: string, patch: OrgPatch): Statement {
  return statement(writer.update(organizations).set(patch).where(eq(organizations.id, orgId)));
}

/**
 * Merges into the router settings, member by member, null taking one away. Each member is one statement's own business:
 * two changes of different members made at once both stay.
 */
export function mergeRouterSettings(
  orgId: string,
  patch: JsonObject,
  by: string,
  now: number,
): Statement[] {
  const removed = Object.keys(patch).map((name) => `$.router_settings."${name}"`);
  const kept = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== null));
  // A patch alone would merge chains with those of before; what is sent takes their place.
  const cleared = removed.reduce<SQL>(
    (config, path) => sql`json_remove(${config}, ${path})`,
    sql`${organizations.config}`,
  );
  const merged = sql`json_patch(${cleared}, ${JSON.stringify({ router_settings: kept })})`;
  return [
    statement(
      writer
        .update(organizations)
        .set({ config: merged as never, updatedBy: by, updatedAt: now })
        .where(eq(organizations.id, orgId)),
    ),
  ];
}

/** Takes an organization away with all that belongs to it; what happened and what was spent stays on record. */
export function deleteOrg(orgId: string): Statement[] {
  const people = [teams, teamMembers, users, invitations, keys, customers, budgets];
  const owned = [...people, deployments, credentials, overbilling];
  return [
    statement(writer.delete(organizations).where(eq(organizations.id, orgId))),
    ...owned.map((table) => statement(writer.delete(table).where(eq(table.orgId, orgId)))),
  ];
}

/** What the path needs of an organization. */
export function orgRecord(row: OrgRow): OrgRecord {
  return {
    id: row.id,
    alias: row.alias,
    models: row.models,
    blocked: row.blocked,
    defaultTeamId: row.defaultTeamId ?? undefined,
    metadata: row.metadata,
  };
}
