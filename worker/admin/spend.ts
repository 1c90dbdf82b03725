import { eq, sql } from "drizzle-orm";
import type { Scope } from "../core/scope.ts";
import type { NanoUsd } from "../core/money.ts";
import type { Db } from "../store/database.ts";
import { usageDaily, usageRows } from "../store/schema.ts";
import type { AdminContext } from "./context.ts";

/** What was debited to an organization so far, out of the daily sums; they follow the ledgers within seconds. */
export async function orgSpend(db: Db, orgId: string): Promise<NanoUsd> {
  const rows = await db
    .select({ spent: sql<number>`coalesce(sum(${usageDaily.costNano}), 0)` })
    .from(usageDaily)
    .where(eq(usageDaily.orgId, orgId));
  return rows[0]?.spent ?? 0;
}

/** What was debited to a team so far, by its ledger. */
export function teamSpend(ctx: AdminContext, teamId: string): Promise<NanoUsd> {
  return spendIn(ctx, teamId, { kind: "team", id: teamId });
}

/** What was debited to a key so far, by the ledgers of every team that it ever belonged to. */
export async function keySpend(
  ctx: AdminContext,
  key: { id: string; teamId: string | null },
): Promise<NanoUsd> {
  const { db, directory } = ctx.deps;
  const [charged, shared] = await Promise.all([
    db
      .selectDistinct({ teamId: usageRows.teamId })
      .from(usageRows)
      .where(sql`${usageRows.orgId} = ${ctx.orgId} and ${usageRows.keyId} = ${key.id}`),
    directory.openOrg(ctx.orgId),
  ]);
  const teams = new Set(charged.map((row) => row.teamId));
  const own = key.teamId ?? shared.org.defaultTeamId;
  if (own !== undefined) teams.add(own);
  const sums = await Promise.all(
    [...teams].map((teamId) => spendIn(ctx, teamId, { kind: "key", id: key.id })),
  );
  return sums.reduce((sum, each) => sum + each, 0);
}

async function spendIn(ctx: AdminContext, teamId: string, scope: Scope): Promise<NanoUsd> {
  const rows = await ctx.deps.books(ctx.orgId, teamId).spend([scope]);
  return rows.reduce((sum, row) => sum + row.settled.cost, 0);
}
