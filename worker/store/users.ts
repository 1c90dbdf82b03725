import { and, asc, eq, isNull, or, sql } from "drizzle-orm";
import type { Statement } from "../core/ports.ts";
import type { UserRecord } from "../core/records.ts";
import { among, page, statement, writer } from "./database.ts";
import type { Db, Page, PageRequest } from "./database.ts";
import { users } from "./schema.ts";

export type UserRow = typeof users.$inferSelect;
export type NewUser = Omit<typeof users.$inferInsert, "orgId">;
export type UserPatch = Partial<Omit<NewUser, "id" | "createdAt" | "createdBy">>;

/** The user with this id, or else with this e-mail address. */
export async function findUser(db: Db, orgId: string, idOrEmail: string): Promise<UserRow | null> {
  const email = idOrEmail.toLowerCase();
  const rows = await db
    .select()
    .from(users)
    .where(and(eq(users.orgId, orgId), or(eq(users.id, idOrEmail), eq(users.email, email))))
    .orderBy(sql`${users.id} = ${idOrEmail} desc`)
    .limit(1);
  return rows[0] ?? null;
}

/** The person behind a user: the same in every organization that the person was let into. */
export function personOf(row: Pick<UserRow, "orgId" | "id" | "personId">): string {
  return row.personId ?? `${row.orgId}/${row.id}`;
}

/** The user that a person is in an organization. */
export async function findPerson(db: Db, orgId: string, personId: string): Promise<UserRow | null> {
  const first = personId.startsWith(`${orgId}/`) ? personId.slice(orgId.length + 1) : null;
  const rows = await db
    .select()
    .from(users)
    .where(
      and(
        eq(users.orgId, orgId),
        or(
          eq(users.personId, personId),
          first === null ? undefined : and(isNull(users.personId), eq(users.id, first)),
        ),
      ),
    )
    .limit(1);
  return rows[0] ?? null;
}

/** Bare ids of the organizations that a person is in, besides the first one; across organizations, for the person alone. */
export async function orgsOfPerson(db: Db, personId: string): Promise<string[]> {
  const rows = await db
    .select({ orgId: users.orgId })
    .from(users)
    .where(eq(users.personId, personId))
    .orderBy(asc(users.createdAt));
  return rows.map((row) => row.orgId);
}

/** Users of an organization, oldest first. */
export function listUsers(
  db: Db,
  orgId: string,
  request: PageRequest = {},
): Promise<Page<UserRow>> {
  const where = eq(users.orgId, orgId);
  const rows = db
    .select()
    .from(users)
    .where(where)
    .orderBy(asc(users.createdAt), asc(users.id))
    .$dynamic();
  return page(request, db.$count(users, where), rows);
}

export function insertUser(orgId: string, row: NewUser): Statement {
  return statement(writer.insert(users).values({ ...row, email: row.email?.toLowerCase(), orgId }));
}

export function updateUser(orgId: string, id: string, patch: UserPatch): Statement {
  const where = and(eq(users.orgId, orgId), eq(users.id, id));
  const email = patch.email === undefined ? {} : { email: patch.email?.toLowerCase() ?? null };
  return statement(
    writer
      .update(users)
      .set({ ...patch, ...email })
      .where(where),
  );
}

export function deleteUsers(orgId: string, ids: readonly string[]): Statement {
  return statement(writer.delete(users).where(and(eq(users.orgId, orgId), among(users.id, ids))));
}

/** What the path needs of a user; `adminOf` are ids of the teams that the user administers. */
export function userRecord(row: UserRow, adminOf: string[]): UserRecord {
  return {
    id: row.id,
    email: row.email ?? undefined,
    alias: row.alias ?? undefined,
    role: row.role,
    active: row.active,
    adminOf,
    ...(row.activeOrgId !== null && { activeOrgId: row.activeOrgId }),
  };
}
