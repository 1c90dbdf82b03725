import { and, asc, desc, eq, isNotNull, ne, sql } from "drizzle-orm";
import type { KeyRecord, OrgShared, TeamRecord, UserRecord } from "../core/records.ts";
import { AUTO_ROUTER, autoRouterOf } from "../core/auto-router.ts";
import { orgRoutingOf } from "../core/router-settings.ts";
import { customerRules, ruledCustomers } from "./customers.ts";
import { credentialRecord } from "./credentials.ts";
import type { Db } from "./database.ts";
import { deploymentRecord } from "./deployments.ts";
import { KEY_COLUMNS, keyRecord } from "./keys.ts";
import { pointersQuery } from "./policy-rows.ts";
import { flagsOfRow, limitsCustomers, ofMember } from "./limit-rows.ts";
import { orgRecord } from "./orgs.ts";
import { overbillingQuery } from "./overbilling.ts";
import {
  budgets,
  credentials,
  customers,
  deployments,
  keys,
  organizations,
  teamMembers,
  teams,
  users,
} from "./schema.ts";
import { teamRecord } from "./teams.ts";
import { userRecord } from "./users.ts";
import { WEBHOOK } from "./webhooks.ts";

/** A key with what stands above it; a key without a team has the organization's default team above it. */
export interface KeyRows {
  key: KeyRecord | null;
  team: TeamRecord | null;
  user: UserRecord | null;
}

/** What all keys of an organization share; null if there is no such organization. */
export async function readShared(db: Db, orgId: string): Promise<OrgShared | null> {
  const customersLimited = limitsCustomers(db, orgId);
  const [
    orgRows,
    deploymentRows,
    credentialRows,
    blockedRows,
    ruledRows,
    policyRows,
    budgetRows,
    overbilled,
  ] = await db.batch([
    db.select().from(organizations).where(eq(organizations.id, orgId)),
    db
      .select()
      .from(deployments)
      .where(eq(deployments.orgId, orgId))
      .orderBy(asc(deployments.createdAt), asc(deployments.id)),
    // The first that fits a provider serves it: its own key for the whole provider goes before those of single models.
    db
      .select()
      .from(credentials)
      .where(and(eq(credentials.orgId, orgId), ne(credentials.provider, WEBHOOK)))
      .orderBy(desc(credentials.byok), asc(credentials.createdAt), asc(credentials.id)),
    db
      .select({ id: customers.id })
      .from(customers)
      .where(and(eq(customers.orgId, orgId), eq(customers.blocked, true))),
    ruledCustomers(db, orgId),
    pointersQuery(db, orgId),
    db
      .select()
      .from(budgets)
      .where(and(eq(budgets.orgId, orgId), isNotNull(budgets.route))),
    overbillingQuery(db, orgId, Date.now()),
  ]);
  const org = orgRows[0];
  const anyCustomer = await customersLimited;
  if (!org) return null;
  const { limits: orgLimits } = flagsOfRow(org);
  const groups = budgetRows.flatMap((row) => {
    const { limits } = flagsOfRow(row);
    return row.route === null || limits === undefined ? [] : [[row.route, limits] as const];
  });
  const isRouter = ({ provider }: { provider: string }) => provider === AUTO_ROUTER;
  const routers = deploymentRows.filter(isRouter).map(autoRouterOf);
  return {
    limits: {
      ...(orgLimits && { org: orgLimits }),
      ...(groups.length > 0 && { groups: Object.fromEntries(groups) }),
      ...(anyCustomer && { customers: { budget: true, rate: true, slots: true } }),
    },
    org: orgRecord(org),
    deployments: deploymentRows.filter((row) => !isRouter(row)).map(deploymentRecord),
    ...(routers.length > 0 && { routers }),
    credentials: credentialRows.map(credentialRecord),
    routing: orgRoutingOf(org.config.router_settings ?? {}),
    blockedCustomers: blockedRows.map((each) => each.id),
    customers: customerRules(ruledRows),
    policies: policyRows,
    ...(overbilled.length > 0 && {
      overbilling: Object.fromEntries(
        overbilled.map(({ deployment, factor }) => [deployment, factor]),
      ),
    }),
  };
}

/** One key's rows, in one round trip. */
export async function readKey(db: Db, orgId: string, keyId: string): Promise<KeyRows> {
  const own = (column: typeof keys.teamId | typeof keys.userId) =>
    sql`(select ${column} from ${keys} where ${keys.orgId} = ${orgId} and ${keys.id} = ${keyId})`;
  const fallback = sql`(select ${organizations.defaultTeamId} from ${organizations}
    where ${organizations.id} = ${orgId})`;
  const team = sql`coalesce(${own(keys.teamId)}, ${fallback})`;
  const [keyRows, teamRows, userRows, adminRows, memberRows] = await db.batch([
    db
      .select(KEY_COLUMNS)
      .from(keys)
      .where(and(eq(keys.orgId, orgId), eq(keys.id, keyId))),
    db
      .select()
      .from(teams)
      .where(
        and(eq(teams.orgId, orgId), eq(teams.id, sql`coalesce(${own(keys.teamId)}, ${fallback})`)),
      ),
    db
      .select()
      .from(users)
      .where(and(eq(users.orgId, orgId), eq(users.id, own(keys.userId)))),
    db
      .select({ teamId: teamMembers.teamId })
      .from(teamMembers)
      .where(
        and(
          eq(teamMembers.orgId, orgId),
          eq(teamMembers.userId, own(keys.userId)),
          eq(teamMembers.role, "admin"),
        ),
      ),
    db
      .select()
      .from(teamMembers)
      .where(
        and(
          eq(teamMembers.orgId, orgId),
          eq(teamMembers.teamId, team),
          eq(teamMembers.userId, own(keys.userId)),
        ),
      ),
  ]);
  const key = keyRows[0];
  if (!key) return { key: null, team: null, user: null };
  const [teamRow] = teamRows;
  const [user] = userRows;
  const [member] = memberRows;
  const { limits: memberLimits } = flagsOfRow(member && ofMember(member, teamRow ?? null));
  const admin = adminRows.map((each) => each.teamId);
  return {
    key: { ...keyRecord(key), ...flagsOfRow(key), ...(memberLimits && { memberLimits }) },
    team: teamRow ? { ...teamRecord(teamRow), ...flagsOfRow(teamRow) } : null,
    user: user ? { ...userRecord(user, admin), ...flagsOfRow(user) } : null,
  };
}
