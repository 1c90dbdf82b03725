import { and, eq, sql } from "drizzle-orm";
import * as z from "zod";
import { homeOf } from "../core/scope.ts";
import type { Scope } from "../core/scope.ts";
import { usdNumber } from "../core/money.ts";
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

/** The same of a user. */
export async function userSpend(db: Db, orgId: string, userId: string): Promise<NanoUsd> {
  const rows = await db
    .select({ spent: sql<number>`coalesce(sum(${usageDaily.costNano}), 0)` })
    .from(usageDaily)
    .where(and(eq(usageDaily.orgId, orgId), eq(usageDaily.userId, userId)));
  return rows[0]?.spent ?? 0;
}

/** How a scope's budget stands, as answers show it. */
export const standingShape = {
  budget_spend: z
    .number()
    .nullable()
    .describe("US dollars spent in the present window of its budget; null = it has no limits"),
  budget_reset_at: z
    .string()
    .nullable()
    .describe("When the budget's window begins anew; null = never"),
};

export const STANDING = { budget_spend: 3.21, budget_reset_at: "2026-12-01T00:00:00.000Z" };

/** The same of one scope; `teamId` = whose ledger keeps it, of no meaning for what spans teams. */
export async function standingOf(
  ctx: AdminContext,
  scope: Scope,
  teamId: string | null = null,
): Promise<{ budget_spend: number | null; budget_reset_at: string | null }> {
  const { org } = await ctx.deps.directory.openOrg(ctx.orgId);
  const home = homeOf(scope) ?? teamId ?? org.defaultTeamId ?? "default";
  const [row] = await ctx.deps.books(ctx.orgId, home).spend([scope]);
  if (row?.view == null) return { budget_spend: null, budget_reset_at: null };
  const { endsAt } = row.view;
  return {
    budget_spend: usdNumber(row.settled.cost),
    budget_reset_at: endsAt === null ? null : new Date(endsAt).toISOString(),
  };
}

/** What members were debited in a team, by their ids: in the present windows of their budgets. */
export async function memberSpend(
  ctx: AdminContext,
  teamId: string,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, NanoUsd>> {
  const scopes = userIds.map((id): Scope => ({ kind: "team_member", id: `${teamId}/${id}` }));
  const rows = scopes.length === 0 ? [] : await ctx.deps.books(ctx.orgId, teamId).spend(scopes);
  return new Map(userIds.map((id, at) => [id, rows[at]?.settled.cost ?? 0]));
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
