import { and, eq, gt, isNull } from "drizzle-orm";
import type { Statement } from "../core/ports.ts";
import { statement, writer } from "./database.ts";
import type { Db } from "./database.ts";
import { invitations } from "./schema.ts";

export type InvitationRow = typeof invitations.$inferSelect;
export type NewInvitation = Omit<typeof invitations.$inferInsert, "orgId">;

export async function findInvitation(
  db: Db,
  orgId: string,
  id: string,
): Promise<InvitationRow | null> {
  const where = and(eq(invitations.orgId, orgId), eq(invitations.id, id));
  const rows = await db.select().from(invitations).where(where).limit(1);
  return rows[0] ?? null;
}

/** What became of an invitation by now; only an open one can be accepted. */
export function stateOf(
  row: Pick<InvitationRow, "acceptedAt" | "withdrawnAt" | "expiresAt">,
  now: number,
): "open" | "accepted" | "withdrawn" | "expired" {
  if (row.acceptedAt !== null) return "accepted";
  if (row.withdrawnAt !== null) return "withdrawn";
  return row.expiresAt > now ? "open" : "expired";
}

function open(orgId: string, now: number) {
  return and(
    eq(invitations.orgId, orgId),
    isNull(invitations.acceptedAt),
    isNull(invitations.withdrawnAt),
    gt(invitations.expiresAt, now),
  );
}

export function insertInvitation(orgId: string, row: NewInvitation): Statement {
  return statement(writer.insert(invitations).values({ ...row, orgId }));
}

type Mark = { by: string; at: number };

/** Ends one invitation, if it is open. */
export function withdrawInvitation(orgId: string, id: string, { by, at }: Mark): Statement {
  return statement(
    writer
      .update(invitations)
      .set({ withdrawnAt: at, updatedAt: at, updatedBy: by })
      .where(and(open(orgId, at), eq(invitations.id, id))),
  );
}

/** Ends every open invitation of an address: the next one takes their place. */
export function withdrawInvitationsOf(orgId: string, email: string, { by, at }: Mark): Statement {
  return statement(
    writer
      .update(invitations)
      .set({ withdrawnAt: at, updatedAt: at, updatedBy: by })
      .where(and(open(orgId, at), eq(invitations.email, email))),
  );
}

/**
 * Uses an invitation up, and breaks the whole change (on `invitations.id`) unless it is open at that moment: of two
 * that show the same token at once, one becomes a user.
 */
export function acceptInvitation(
  orgId: string,
  id: string,
  mark: Mark & { userId: string },
): Statement[] {
  const { by, at, userId } = mark;
  return [
    {
      // A closed invitation would be inserted a second time, which its primary key refuses.
      sql: `INSERT INTO invitations SELECT * FROM invitations WHERE org_id = ?1 AND id = ?2
        AND (accepted_at IS NOT NULL OR withdrawn_at IS NOT NULL OR expires_at <= ?3)`,
      params: [orgId, id, at],
    },
    statement(
      writer
        .update(invitations)
        .set({ acceptedAt: at, userId, updatedAt: at, updatedBy: by })
        .where(and(eq(invitations.orgId, orgId), eq(invitations.id, id))),
    ),
  ];
}
