import { and, eq, isNotNull, or, sql } from "drizzle-orm";
import type { Scope, ScopeKind } from "../core/scope.ts";
import { isJsonObject } from "../core/json.ts";
import type { JsonObject } from "../core/json.ts";
import { DEFAULT_TIERS, flagsOf } from "../core/limits.ts";
import type { LimitFlags, Limits, Tiers } from "../core/limits.ts";
import { nanoUsd } from "../core/money.ts";
import type { Db } from "./database.ts";
import { budgets, customers, keys, organizations, teamMembers, teams, users } from "./schema.ts";

/** The columns that limit something, on whatever table they stand. */
export interface LimitRow {
  maxBudgetNano: number | null;
  softBudgetNano?: number | null;
  hardCapNano?: number | null;
  budgetDuration?: string | null;
  tpmLimit: number | null;
  rpmLimit: number | null;
  maxParallelRequests?: number | null;
  modelMaxBudget?: JsonObject;
  tiers?: Partial<Tiers> | null;
  tempBudgetNano?: number | null;
  tempBudgetUntil?: number | null;
  createdAt: number;
}

/** What a row limits; null where it limits nothing. */
export function limitsOf(row: LimitRow, timeZone: string): Limits | null {
  const { maxBudgetNano, softBudgetNano, hardCapNano, budgetDuration } = row;
  const { tempBudgetNano, tempBudgetUntil } = row;
  const limits: Limits = {
    timeZone,
    since: row.createdAt,
    tiers: { ...DEFAULT_TIERS, ...(hardCapNano != null && { throttle: true }), ...row.tiers },
    ...(maxBudgetNano !== null && { maxBudget: maxBudgetNano }),
    ...(softBudgetNano != null && { softBudget: softBudgetNano }),
    ...(hardCapNano != null && { hardCap: hardCapNano }),
    ...(budgetDuration != null && { duration: budgetDuration }),
    ...(row.rpmLimit !== null && { rpm: row.rpmLimit }),
    ...(row.tpmLimit !== null && { tpm: row.tpmLimit }),
    ...(row.maxParallelRequests != null && { parallel: row.maxParallelRequests }),
    ...(tempBudgetNano != null &&
      tempBudgetUntil != null && { increase: { amount: tempBudgetNano, until: tempBudgetUntil } }),
  };
  const { maxBudget, softBudget, hardCap, rpm, tpm, parallel } = limits;
  const some = maxBudget ?? softBudget ?? hardCap ?? rpm ?? tpm ?? parallel;
  return some === undefined ? null : limits;
}

/** Budgets and limits of single models within a row: `{"gpt-4o": 5}` or `{"gpt-4o": {"max_budget": 5, …}}`. */
function modelLimits(row: LimitRow, timeZone: string): Map<string, Limits> {
  const out = new Map<string, Limits>();
  for (const [model, value] of Object.entries(row.modelMaxBudget ?? {})) {
    const members = isJsonObject(value) ? value : { max_budget: value ?? null };
    const budget = numberIn(members, "max_budget", "budget_limit");
    const limits = limitsOf(
      {
        maxBudgetNano: budget === null ? null : nanoUsd(budget),
        budgetDuration: textIn(members, "budget_duration", "time_period") ?? row.budgetDuration,
        rpmLimit: numberIn(members, "rpm_limit", "rpm"),
        tpmLimit: numberIn(members, "tpm_limit", "tpm"),
        createdAt: row.createdAt,
      },
      timeZone,
    );
    if (limits !== null) out.set(model, limits);
  }
  return out;
}

/** What isolates have to know of a row's limits; absent where there are none. */
export function flagsOfRow(row: LimitRow | null | undefined): { limits?: LimitFlags } {
  if (row == null) return {};
  const models = [...modelLimits(row, "UTC")].map(([model, limits]) => ({
    model,
    ...flagsOf(limits),
  }));
  const limits = { ...flagsOf(limitsOf(row, "UTC")), ...(models.length > 0 && { models }) };
  return Object.keys(limits).length === 0 ? {} : { limits };
}

function numberIn(members: JsonObject, ...names: string[]): number | null {
  for (const name of names) {
    const value = members[name];
    const number = typeof value === "string" ? Number(value) : value;
    if (typeof number === "number" && Number.isFinite(number) && number >= 0) return number;
  }
  return null;
}

function textIn(members: JsonObject, ...names: string[]): string | null {
  for (const name of names) {
    const value = members[name];
    if (typeof value === "string") return value;
  }
  return null;
}

/** The limits of one scope as the record has them. */
export interface ScopeLimits {
  scope: Scope;
  /** Id of the team whose ledger keeps it; of no meaning for what spans teams. */
  teamId: string;
  /** null = none, of a key whose ledger is said all the same. */
  limits: Limits | null;
  /** The row was there before its last change: isolates may know it without this limit. */
  known: boolean;
}

/**
 * All limits that stand on the rows of these names (`key:<id>`, `team:<id>`, `user:<id>`, `customer:<id>`, `budget:<id>`,
 * `shared` for the organization and its model groups).
 */
export async function readLimits(
  db: Db,
  orgId: string,
  names: readonly string[],
): Promise<ScopeLimits[]> {
  const [org] = await db.select().from(organizations).where(eq(organizations.id, orgId));
  if (!org) return [];
  const fallbackTeam = org.defaultTeamId ?? "default";
  const out: ScopeLimits[] = [];
  const add = (
    kind: ScopeKind,
    id: string,
    teamId: string,
    row: LimitRow & { updatedAt?: number },
  ) => {
    const known = row.updatedAt !== undefined && row.updatedAt !== row.createdAt;
    const limits = limitsOf(row, org.timeZone);
    if (limits !== null) out.push({ scope: { kind, id }, teamId, limits, known });
    for (const [model, own] of modelLimits(row, org.timeZone)) {
      const scope: Scope = { kind: "model", id: `${kind}:${id}/${model}` };
      out.push({ scope, teamId, limits: own, known });
    }
  };
  const readers: Record<string, (id: string) => Promise<void>> = {
    async shared() {
      add("org", orgId, "", org);
      const routes = and(eq(budgets.orgId, orgId), isNotNull(budgets.route));
      for (const row of await db.select().from(budgets).where(routes)) {
        if (row.route !== null) add("group", row.route, "", row);
      }
    },
    async team(id) {
      const where = and(eq(teams.orgId, orgId), eq(teams.id, id));
      const [row] = await db.select().from(teams).where(where);
      if (row) add("team", id, id, row);
      const members = and(eq(teamMembers.orgId, orgId), eq(teamMembers.teamId, id));
      for (const member of await db.select().from(teamMembers).where(members)) {
        add("team_member", `${id}/${member.userId}`, id, ofMember(member, row ?? null));
      }
    },
    async user(id) {
      const where = and(eq(users.orgId, orgId), eq(users.id, id));
      const [row] = await db.select().from(users).where(where);
      if (row) add("user", id, "", row);
      const members = await db
        .select({ member: teamMembers, team: teams })
        .from(teamMembers)
        .leftJoin(teams, and(eq(teams.orgId, teamMembers.orgId), eq(teams.id, teamMembers.teamId)))
        .where(and(eq(teamMembers.orgId, orgId), eq(teamMembers.userId, id)));
      for (const { member, team } of members) {
        add("team_member", `${member.teamId}/${id}`, member.teamId, ofMember(member, team));
      }
    },
    async key(id) {
      const where = and(eq(keys.orgId, orgId), eq(keys.id, id));
      const [row] = await db.select().from(keys).where(where);
      if (!row) return;
      const teamId = row.teamId ?? fallbackTeam;
      if (limitsOf(row, org.timeZone) === null) {
        out.push({ scope: { kind: "key", id }, teamId, limits: null, known: false });
      }
      add("key", id, teamId, row);
    },
    async customer(id) {
      const where = and(eq(customers.orgId, orgId), eq(customers.id, id));
      const [row] = await db.select().from(customers).where(where);
      if (row) add("customer", id, "", row);
    },
  };
  for (const name of names) {
    const { kind, id } = splitName(name);
    await readers[kind]?.(id);
  }
  return out;
}

/** The time zone of an organization; null where there is none. */
export async function readTimeZone(db: Db, orgId: string): Promise<string | null> {
  const { id, timeZone } = organizations;
  const [row] = await db.select({ timeZone }).from(organizations).where(eq(id, orgId));
  return row?.timeZone ?? null;
}

/** A member's window is that of the team's budget. */
export function ofMember(
  member: typeof teamMembers.$inferSelect,
  team: { budgetDuration: string | null } | null,
): LimitRow & { updatedAt?: number } {
  return { ...member, budgetDuration: team?.budgetDuration ?? null };
}

/** True where any customer of the organization is limited. */
export async function limitsCustomers(db: Db, orgId: string): Promise<boolean> {
  const some = or(
    isNotNull(customers.maxBudgetNano),
    isNotNull(customers.softBudgetNano),
    isNotNull(customers.rpmLimit),
    isNotNull(customers.tpmLimit),
    isNotNull(customers.maxParallelRequests),
    sql`${customers.modelMaxBudget} <> '{}'`,
  );
  const found = db.select({ id: customers.id }).from(customers);
  return (await found.where(and(eq(customers.orgId, orgId), some)).limit(1)).length > 0;
}

/** The parts of a name of a touched row. */
export function splitName(name: string): { kind: string; id: string } {
  const at = name.indexOf(":");
  return at < 0 ? { kind: name, id: "" } : { kind: name.slice(0, at), id: name.slice(at + 1) };
}
