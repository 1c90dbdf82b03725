import { and, desc, eq, gte, lte, or, sql } from "drizzle-orm";
import type { NanoUsd } from "../core/money.ts";
import { among } from "./database.ts";
import type { Db } from "./database.ts";
import { usageDaily } from "./schema.ts";

/** By what daily sums can be told apart. */
export type UsageDimension =
  | "organization"
  | "team"
  | "user"
  | "customer"
  | "key"
  | "model"
  | "group"
  | "provider";

const COLUMNS = {
  organization: usageDaily.orgId,
  team: usageDaily.teamId,
  user: usageDaily.userId,
  customer: usageDaily.customerId,
  /** With its organization, as `<org>/<key>`. */
  key: sql`case ${usageDaily.keyId} when '' then '' else ${usageDaily.orgId} || '/' || ${usageDaily.keyId} end`,
  model: usageDaily.model,
  group: usageDaily.group,
  provider: usageDaily.provider,
} as const satisfies Record<UsageDimension, unknown>;

/** Whose usage, of what, and when; an absent member is no condition. */
export interface UsageOfDays {
  /** UTC days, both inclusive. */
  from: string;
  to: string;
  teamIds?: readonly string[];
  userIds?: readonly string[];
  customerIds?: readonly string[];
  keyId?: string;
  /** A model, or a group of models. */
  model?: string;
  /** Only what belongs to one of these at all. */
  having?: UsageDimension;
}

/** Sums of some part of the usage. */
export interface UsageSums {
  requests: number;
  successes: number;
  failures: number;
  promptTokens: number;
  completionTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
  tokens: number;
  cost: NanoUsd;
}

/** Named, so that a query around them can take them up. */
const SUMS = {
  requests: sql<number>`sum(${usageDaily.requests})`.as("requests_sum"),
  successes: sql<number>`sum(${usageDaily.successes})`.as("successes_sum"),
  failures: sql<number>`sum(${usageDaily.failures})`.as("failures_sum"),
  promptTokens: sql<number>`sum(${usageDaily.promptTokens})`.as("prompt_sum"),
  completionTokens: sql<number>`sum(${usageDaily.completionTokens})`.as("completion_sum"),
  cacheReadTokens: sql<number>`sum(${usageDaily.cacheReadTokens})`.as("cache_read_sum"),
  cacheWriteTokens: sql<number>`sum(${usageDaily.cacheWriteTokens})`.as("cache_write_sum"),
  tokens: sql<number>`sum(${usageDaily.tokens})`.as("tokens_sum"),
  cost: sql<NanoUsd>`sum(${usageDaily.costNano})`.as("cost_sum"),
};

function matching(orgIds: readonly string[], of: UsageOfDays) {
  return and(
    among(usageDaily.orgId, orgIds),
    gte(usageDaily.day, of.from),
    lte(usageDaily.day, of.to),
    of.teamIds && among(usageDaily.teamId, of.teamIds),
    of.userIds && among(usageDaily.userId, of.userIds),
    of.customerIds && among(usageDaily.customerId, of.customerIds),
    of.keyId === undefined ? undefined : eq(usageDaily.keyId, of.keyId),
    of.model === undefined
      ? undefined
      : or(eq(usageDaily.model, of.model), eq(usageDaily.group, of.model)),
    of.having && sql`${COLUMNS[of.having]} <> ''`,
  );
}

/** The sums of each day that saw any use, newest first. */
export function usageByDay(
  db: Db,
  orgIds: readonly string[],
  of: UsageOfDays,
): Promise<(UsageSums & { day: string })[]> {
  return db
    .select({ day: usageDaily.day, ...SUMS })
    .from(usageDaily)
    .where(matching(orgIds, of))
    .groupBy(usageDaily.day)
    .orderBy(desc(usageDaily.day))
    .all();
}

/** The same, split: of each day at most `most` parts, the dearest ones. */
export function usageByPart(
  db: Db,
  orgIds: readonly string[],
  of: UsageOfDays,
  dimension: UsageDimension,
  most: number,
): Promise<(UsageSums & { day: string; name: string })[]> {
  const name = COLUMNS[dimension];
  const dearest = sql`sum(${usageDaily.costNano}) desc, sum(${usageDaily.requests}) desc, ${name}`;
  const parts = db
    .select({
      day: usageDaily.day,
      name: sql<string>`${name}`.as("name"),
      ...SUMS,
      place: sql<number>`row_number() over (partition by ${usageDaily.day} order by ${dearest})`.as(
        "place",
      ),
    })
    .from(usageDaily)
    .where(matching(orgIds, of))
    .groupBy(usageDaily.day, name)
    .as("parts");
  return db
    .select({
      day: parts.day,
      name: parts.name,
      requests: parts.requests,
      successes: parts.successes,
      failures: parts.failures,
      promptTokens: parts.promptTokens,
      completionTokens: parts.completionTokens,
      cacheReadTokens: parts.cacheReadTokens,
      cacheWriteTokens: parts.cacheWriteTokens,
      tokens: parts.tokens,
      cost: parts.cost,
    })
    .from(parts)
    .where(lte(parts.place, most))
    .orderBy(desc(parts.day), sql`${parts.place}`)
    .all();
}
