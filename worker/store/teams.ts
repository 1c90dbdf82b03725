import { and, asc, eq, inArray, or, sql } from "drizzle-orm";
import type { Statement } from "../core/ports.ts";
import type { TeamRecord } from "../core/records.ts";
import { among, page, statement, writer } from "./database.ts";
import type { Db, Page, PageRequest } from "./database.ts";
import { teamMembers, teams } from "./schema.ts";

export type TeamRow = typeof teams.$inferSelect;
export type NewTeam = Omit<typeof teams.$inferInsert, "orgId">;
export type TeamPatch = Partial<Omit<NewTeam, "id" | "createdAt" | "createdBy">>;
export type TeamMemberRow = typeof teamMembers.$inferSelect;
export type NewTeamMember = Omit<typeof teamMembers.$inferInsert, "orgId">;

/** The team with this id, or else with this alias. */
export async function findTeam(db: Db, orgId: string, idOrAlias: string): Promise<TeamRow | null> {
  const rows = await db
    .select()
    .from(teams)
    .where(and(eq(teams.orgId, orgId), or(eq(teams.id, idOrAlias), eq(teams.alias, idOrAlias))))
    .orderBy(sql`${teams.id} = ${idOrAlias} desc`)
    .limit(1);
  return rows[0] ?? null;
}

/** Teams by alias; with `userId`, those that the user is a member of. */
export function listTeams(
  db: Db,
  orgId: string,
  request: PageRequest & { userId?: string } = {},
): Promise<Page<TeamRow>> {
  const own =
    request.userId === undefined
      ? undefined
      : inArray(
          teams.id,
          db
            .select({ id: teamMembers.teamId })
            .from(teamMembers)
            .where(and(eq(teamMembers.orgId, orgId), eq(teamMembers.userId, request.userId))),
        );
  const where = and(eq(teams.orgId, orgId), own);
  const rows = db.select().from(teams).where(where).orderBy(asc(teams.alias)).$dynamic();
  return page(request, db.$count(teams, where), rows);
}

export function insertTeam(orgId: string, row: NewTeam): Statement {
  return statement(writer.insert(teams).values({ ...row, orgId }));
}

export function updateTeam(orgId: string, id: string, patch: TeamPatch): Statement {
  const where = and(eq(teams.orgId, orgId), eq(teams.id, id));
  return statement(writer.update(teams).set(patch).where(where));
}

/** A team's members, oldest first. */
export function listTeamMembers(db: Db, orgId: string, teamId: string): Promise<TeamMemberRow[]> {
  return db
    .select()
    .from(teamMembers)
    .where(and(eq(teamMembers.orgId, orgId), eq(teamMembers.teamId, teamId)))
    .orderBy(asc(teamMembers.createdAt), asc(teamMembers.userId))
    .all();
}

/** The user's place in the team; null if there is none. */
export async function findTeamMember(
  db: Db,
  orgId: string,
  teamId: string,
  userId: string,
): Promise<TeamMemberRow | null> {
  const where = and(
    eq(teamMembers.orgId, orgId),
    eq(teamMembers.teamId, teamId),
    eq(teamMembers.userId, userId),
  );
  const rows = await db.select().from(teamMembers).where(where).limit(1);
  return rows[0] ?? null;
}

export function insertTeamMember(orgId: string, row: NewTeamMember): Statement {
  return statement(writer.insert(teamMembers).values({ ...row, orgId }));
}

export type TeamMemberPatch = Partial<Omit<NewTeamMember, "teamId" | "userId" | "createdAt">>;

export function updateTeamMember(
  orgId: string,
  teamId: string,
  userId: string,
  patch: TeamMemberPatch,
): Statement {
  const where = and(
    eq(teamMembers.orgId, orgId),
    eq(teamMembers.teamId, teamId),
    eq(teamMembers.userId, userId),
  );
  return statement(writer.update(teamMembers).set(patch).where(where));
}

/** Ends memberships: of these teams, of these users, or of these users in these teams. */
export function deleteTeamMembers(
  orgId: string,
  of: { teamIds?: readonly string[]; userIds?: readonly string[] },
): Statement {
  const where = and(
    eq(teamMembers.orgId, orgId),
    of.teamIds === undefined ? undefined : among(teamMembers.teamId, of.teamIds),
    of.userIds === undefined ? undefined : among(teamMembers.userId, of.userIds),
  );
  return statement(writer.delete(teamMembers).where(where));
}

export function deleteTeams(orgId: string, ids: readonly string[]): Statement {
  return statement(writer.delete(teams).where(and(eq(teams.orgId, orgId), among(teams.id, ids))));
}

/** What the path needs of a team. */
export function teamRecord(row: TeamRow): TeamRecord {
  return {
    id: row.id,
    alias: row.alias,
    models: row.models,
    blocked: row.blocked,
    aliases: row.aliases,
    metadata: row.metadata,
  };
}
