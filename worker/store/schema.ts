import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  real,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import type { Outcome } from "../core/account.ts";
import type { ProtocolName } from "../core/chat.ts";
import type { JsonObject } from "../core/json.ts";
import type { Tiers } from "../core/limits.ts";
import type { ModelFacts } from "../core/model.ts";
import type { KeyType, Role } from "../core/principal.ts";

// Every table begins with the organization, and so does every key: two organizations may choose the
// same id or alias and never meet. There are no foreign keys, because SQLite can alter a referenced
// table only by rebuilding it; OrgControl is the one writer and keeps the references.

/** Unix milliseconds. */
const time = (name: string) => integer(name);
const flag = (name: string) => integer(name, { mode: "boolean" }).notNull().default(false);
const list = (name: string) =>
  text(name, { mode: "json" })
    .$type<string[]>()
    .notNull()
    .default(sql`'[]'`);
const object = <T = JsonObject>(name: string) =>
  text(name, { mode: "json" })
    .$type<T>()
    .notNull()
    .default(sql`'{}'`);
const orgId = () => text("org_id").notNull();

/** Who made a row, and when it was made and changed. */
const provenance = () => ({
  createdBy: text("created_by"),
  createdAt: time("created_at").notNull(),
  updatedBy: text("updated_by"),
  updatedAt: time("updated_at").notNull(),
});

/** Sections of an organization's configuration; `router_settings` is read by core/router-settings.ts. */
export interface OrgConfig {
  router_settings?: JsonObject;
  litellm_settings?: JsonObject;
  general_settings?: JsonObject;
}

/** A model's own budget as callers send it: `{"gpt-4o": {"budget_limit": 1, "time_period": "1d"}}`. */
export type ModelBudgets = JsonObject;

/** Budget and limits of one scope, kept as they were asked for; absent = unlimited. */
const limits = () => ({
  maxBudgetNano: integer("max_budget_nano"),
  softBudgetNano: integer("soft_budget_nano"),
  budgetDuration: text("budget_duration"),
  budgetResetAt: time("budget_reset_at"),
  tpmLimit: integer("tpm_limit"),
  rpmLimit: integer("rpm_limit"),
  maxParallelRequests: integer("max_parallel_requests"),
  modelMaxBudget: object<ModelBudgets>("model_max_budget"),
  hardCapNano: integer("hard_cap_nano"),
  /** What differs from the usual tiers; absent = nothing. */
  tiers: text("tiers", { mode: "json" }).$type<Partial<Tiers>>(),
  /** Comes on top of the budget until then. */
  tempBudgetNano: integer("temp_budget_nano"),
  tempBudgetUntil: time("temp_budget_until"),
});

/** A budget that stands by itself, for what the own columns leave open. */
const attached = () => ({ budgetId: text("budget_id") });

export const organizations = sqliteTable(
  "organizations",
  {
    /** Bare id. */
    id: text("id").primaryKey(),
    /** The id that a caller chose, if any; unique on the platform. */
    chosenId: text("chosen_id"),
    alias: text("alias").notNull(),
    models: list("models"),
    blocked: flag("blocked"),
    /** Stands above keys that have no team. */
    defaultTeamId: text("default_team_id"),
    /** Budgets' days and months begin at its midnight. */
    timeZone: text("time_zone").notNull().default("UTC"),
    metadata: object("metadata"),
    /** What POST /config/update wrote, by section. */
    config: object<OrgConfig>("config"),
    ...limits(),
    ...attached(),
    ...provenance(),
  },
  (table) => [
    uniqueIndex("organizations_chosen_id").on(table.chosenId),
    index("organizations_created").on(table.createdAt, table.id),
  ],
);

export const teams = sqliteTable(
  "teams",
  {
    orgId: orgId(),
    id: text("id").notNull(),
    alias: text("alias").notNull(),
    models: list("models"),
    blocked: flag("blocked"),
    /** Model names that stand for others. */
    aliases: object<Record<string, string>>("aliases"),
    tags: list("tags"),
    metadata: object("metadata"),
    ...limits(),
    ...attached(),
    ...provenance(),
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.id] }),
    uniqueIndex("teams_alias").on(table.orgId, table.alias),
  ],
);

export const teamMembers = sqliteTable(
  "team_members",
  {
    orgId: orgId(),
    teamId: text("team_id").notNull(),
    userId: text("user_id").notNull(),
    role: text("role").$type<"admin" | "user">().notNull().default("user"),
    maxBudgetNano: integer("max_budget_nano"),
    tpmLimit: integer("tpm_limit"),
    rpmLimit: integer("rpm_limit"),
    createdAt: time("created_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.teamId, table.userId] }),
    index("team_members_user").on(table.orgId, table.userId),
  ],
);

/** One row per person and organization: the row is the membership, and carries its role. */
export const users = sqliteTable(
  "users",
  {
    orgId: orgId(),
    id: text("id").notNull(),
    /** Lower case. */
    email: text("email"),
    alias: text("alias"),
    role: text("role").$type<Role>().notNull(),
    active: integer("active", { mode: "boolean" }).notNull().default(true),
    /** `<org>/<user>` of the row that this person had first; absent in that row itself. */
    personId: text("person_id"),
    /** Bare id of the organization that this person's admin calls act in; absent = this one. */
    activeOrgId: text("active_org_id"),
    models: list("models"),
    metadata: object("metadata"),
    ...limits(),
    ...attached(),
    ...provenance(),
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.id] }),
    uniqueIndex("users_email").on(table.orgId, table.email),
    uniqueIndex("users_person").on(table.personId, table.orgId),
  ],
);

export const keys = sqliteTable(
  "keys",
  {
    orgId: orgId(),
    /** The 12 characters that stand inside the token. */
    id: text("id").notNull(),
    /** `sha256:…`, the public name in logs, audit and answers. */
    handle: text("handle").notNull(),
    /** `sk-…` and the last four characters. */
    name: text("name").notNull(),
    alias: text("alias"),
    keyType: text("key_type").$type<KeyType>().notNull().default("default"),
    teamId: text("team_id"),
    userId: text("user_id"),
    models: list("models"),
    aliases: object<Record<string, string>>("aliases"),
    allowedIps: list("allowed_ips"),
    expiresAt: time("expires_at"),
    blocked: flag("blocked"),
    /** Grows with each change of the row. */
    revision: integer("revision").notNull().default(1),
    /** bcrypt of the token's digest under pepper `pepper_version`; read by key-check objects alone. */
    hash: text("hash").notNull(),
    pepperVersion: integer("pepper_version").notNull(),
    /** The pepper that the token's own check was made under: it is in the token and never moves. */
    checkVersion: integer("check_version").notNull().default(1),
    /** The same of the token before the last regeneration; it counts until `previous_until`. */
    previousHash: text("previous_hash"),
    previousPepperVersion: integer("previous_pepper_version"),
    previousCheckVersion: integer("previous_check_version"),
    previousUntil: time("previous_until"),
    tags: list("tags"),
    policyId: text("policy_id"),
    routerSettings: object("router_settings"),
    metadata: object("metadata"),
    ...limits(),
    ...attached(),
    ...provenance(),
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.id] }),
    uniqueIndex("keys_handle").on(table.orgId, table.handle),
    uniqueIndex("keys_alias").on(table.orgId, table.alias),
    index("keys_team").on(table.orgId, table.teamId),
    index("keys_user").on(table.orgId, table.userId),
  ],
);

/** Who may become a user by showing a token; the token itself is kept nowhere. */
export const invitations = sqliteTable(
  "invitations",
  {
    orgId: orgId(),
    /** The 12 characters that stand inside the token. */
    id: text("id").notNull(),
    /** SHA-256 of the token, which has 256 random bits. */
    tokenHash: text("token_hash").notNull(),
    /** Lower case. */
    email: text("email").notNull(),
    /** The role in the organization, and the one in the team if there is one. */
    role: text("role").$type<Role>().notNull(),
    teamId: text("team_id"),
    teamRole: text("team_role").$type<"admin" | "user">(),
    expiresAt: time("expires_at").notNull(),
    withdrawnAt: time("withdrawn_at"),
    acceptedAt: time("accepted_at"),
    /** Whom it made. */
    userId: text("user_id"),
    ...provenance(),
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.id] }),
    index("invitations_email").on(table.orgId, table.email),
  ],
);

/** End customers that somebody described or blocked; requests may name others too. */
export const customers = sqliteTable(
  "customers",
  {
    orgId: orgId(),
    /** As requests name it. */
    id: text("id").notNull(),
    alias: text("alias"),
    blocked: flag("blocked"),
    /** As it was asked for: `eu`, `us-only`. */
    allowedModelRegion: text("allowed_model_region"),
    defaultModel: text("default_model"),
    /** The team that looks after this customer. */
    teamId: text("team_id"),
    metadata: object("metadata"),
    ...limits(),
    ...attached(),
    ...provenance(),
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.id] }),
    index("customers_team").on(table.orgId, table.teamId),
    index("customers_blocked")
      .on(table.orgId)
      .where(sql`${table.blocked} = 1`),
    index("customers_ruled")
      .on(table.orgId)
      .where(sql`${table.allowedModelRegion} is not null or ${table.defaultModel} is not null`),
  ],
);

/** Budgets by an id: for a model group, or for every object that names one. */
export const budgets = sqliteTable(
  "budgets",
  {
    orgId: orgId(),
    id: text("id").notNull(),
    /** The model group that it limits, whoever calls it. */
    route: text("route"),
    ...limits(),
    ...provenance(),
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.id] }),
    uniqueIndex("budgets_route").on(table.orgId, table.route),
  ],
);

export const deployments = sqliteTable(
  "deployments",
  {
    orgId: orgId(),
    id: text("id").notNull(),
    /** `model_name`: deployments of one name form a group. */
    group: text("model_group").notNull(),
    provider: text("provider").notNull(),
    model: text("model").notNull(),
    protocol: text("protocol").$type<ProtocolName>().notNull(),
    baseUrl: text("base_url").notNull(),
    credentialId: text("credential_id"),
    region: text("region"),
    weight: real("weight").notNull().default(1),
    order: integer("sort_order").notNull().default(0),
    tags: list("tags"),
    timeoutMs: integer("timeout_ms"),
    facts: object<ModelFacts>("facts"),
    /** What the caller sent, without any secret. */
    litellmParams: object("litellm_params"),
    modelInfo: object("model_info"),
    ...provenance(),
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.id] }),
    index("deployments_group").on(table.orgId, table.group),
  ],
);

/** Deployments that billed beyond their bound, whatever they were derived from. */
export const overbilling = sqliteTable(
  "overbilling",
  {
    orgId: orgId(),
    deployment: text("deployment").notNull(),
    /** More than 1: what its worst case is multiplied by. */
    factor: real("factor").notNull(),
    /** When it was last raised. */
    seenAt: time("seen_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.orgId, table.deployment] })],
);

export const credentials = sqliteTable(
  "credentials",
  {
    orgId: orgId(),
    id: text("id").notNull(),
    /** Absent for the secret of a single deployment. */
    name: text("name"),
    provider: text("provider").notNull(),
    host: text("host").notNull(),
    version: integer("version").notNull(),
    sealed: text("sealed").notNull(),
    lastFour: text("last_four").notNull(),
    /** The base URL that was sent along, for credentials with a name. */
    apiBase: text("api_base"),
    /** The organization's own key in the place of the platform's; one per provider. */
    byok: flag("byok"),
    metadata: object("metadata"),
    ...provenance(),
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.id] }),
    uniqueIndex("credentials_name").on(table.orgId, table.name),
    uniqueIndex("credentials_byok")
      .on(table.orgId, table.provider)
      .where(sql`${table.byok} = 1`),
  ],
);

/** Every published version of a policy document: the highest of a scope is in force. */
export const policies = sqliteTable(
  "policies",
  {
    orgId: orgId(),
    /** `org`, or the id of the team whose document it is. */
    scope: text("scope").notNull(),
    version: integer("version").notNull(),
    /** Of the bundle; its text lies in KV and R2 under this name. */
    hash: text("hash").notNull(),
    /** The version that this one brought back; null for a publication. */
    restores: integer("restores"),
    rules: integer("rules").notNull(),
    /** Names that rules route to, with the rule that does. */
    targets: text("targets", { mode: "json" })
      .$type<{ name: string; rule: string }[]>()
      .notNull()
      .default(sql`'[]'`),
    createdBy: text("created_by"),
    createdAt: time("created_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.orgId, table.scope, table.version] })],
);

/** Every administrative change that was applied; its row is written first and makes a repetition fail. */
export const changes = sqliteTable(
  "changes",
  {
    orgId: orgId(),
    id: text("id").notNull(),
    appliedAt: time("applied_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.orgId, table.id] })],
);

export const auditEvents = sqliteTable(
  "audit_events",
  {
    orgId: orgId(),
    eventId: text("event_id").notNull(),
    type: text("type").notNull(),
    at: time("at").notNull(),
    teamId: text("team_id"),
    keyHandle: text("key_handle"),
    actor: text("actor").notNull(),
    requestId: text("request_id"),
    data: object("data"),
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.eventId] }),
    index("audit_events_time").on(table.orgId, table.at, table.eventId),
  ],
);

/**
 * The index of usage: one row per request that was charged. Its whole event lies in the segment that the row names; a
 * copy of it in any other segment counts for nothing.
 */
export const usageRows = sqliteTable(
  "usage_rows",
  {
    orgId: orgId(),
    requestId: text("request_id").notNull(),
    /** UTC day of the request's beginning, `2026-11-21`. */
    day: text("day").notNull(),
    startedAt: time("started_at").notNull(),
    teamId: text("team_id").notNull(),
    userId: text("user_id"),
    keyId: text("key_id"),
    customerId: text("customer_id"),
    model: text("model").notNull(),
    group: text("model_group"),
    provider: text("provider"),
    outcome: text("outcome").$type<Outcome>().notNull(),
    status: integer("status").notNull(),
    promptTokens: integer("prompt_tokens").notNull(),
    completionTokens: integer("completion_tokens").notNull(),
    costNano: integer("cost_nano").notNull(),
    durationMs: integer("duration_ms").notNull(),
    /** The provider told no usage, or the request's isolate died before it could be told. */
    estimated: flag("estimated"),
    /** Name of the object in R2. */
    segment: text("segment").notNull(),
    /** The revision whose values stand here. */
    revision: integer("revision").notNull(),
    /** Revisions that the daily sums hold, as bits: 1 and 2. */
    applied: integer("applied").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.requestId] }),
    index("usage_rows_key").on(table.orgId, table.keyId, table.startedAt),
    index("usage_rows_day").on(table.day),
  ],
);

/** What was used by day; an empty text stands for what a request did not have. */
export const usageDaily = sqliteTable(
  "usage_daily",
  {
    orgId: orgId(),
    day: text("day").notNull(),
    teamId: text("team_id").notNull(),
    userId: text("user_id").notNull(),
    keyId: text("key_id").notNull(),
    customerId: text("customer_id").notNull(),
    group: text("model_group").notNull(),
    model: text("model").notNull(),
    /** Empty for amounts that were estimated without knowing who served. */
    provider: text("provider").notNull(),
    requests: integer("requests").notNull(),
    successes: integer("successes").notNull(),
    failures: integer("failures").notNull(),
    promptTokens: integer("prompt_tokens").notNull(),
    completionTokens: integer("completion_tokens").notNull(),
    cacheReadTokens: integer("cache_read_tokens").notNull(),
    cacheWriteTokens: integer("cache_write_tokens").notNull(),
    /** All tokens, estimated ones included, which belong to no class. */
    tokens: integer("tokens").notNull(),
    costNano: integer("cost_nano").notNull(),
  },
  (table) => [
    primaryKey({
      columns: [
        table.orgId,
        table.day,
        table.teamId,
        table.userId,
        table.keyId,
        table.customerId,
        table.group,
        table.model,
        table.provider,
      ],
    }),
  ],
);
