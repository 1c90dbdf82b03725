import * as z from "zod";
import { shownOrgId } from "../core/ids.ts";
import { nanoUsd, usdNumber, type NanoUsd } from "../core/money.ts";
import { blocksAt, DEFAULT_TIERS } from "../core/limits.ts";
import type { Tiers } from "../core/limits.ts";
import { limitsOf } from "../store/limit-rows.ts";
import type { CustomerRow } from "../store/customers.ts";
import type { KeyRow } from "../store/keys.ts";
import type { OrgRow } from "../store/orgs.ts";
import type { ModelBudgets } from "../store/schema.ts";
import type { TeamMemberRow, TeamRow } from "../store/teams.ts";
import type { UserRow } from "../store/users.ts";
import type { LIMITS } from "./fields.ts";
import { countsByModel } from "./model-limits.ts";
import type { MergedField } from "./model-limits.ts";
import { shownSettings } from "./routing-settings.ts";

const instant = z.string().describe("RFC 3339");
const object = z.record(z.string(), z.unknown());
const nullable = z.string().nullable();

/** Budget and limits as answers show them. */
export const limitsShape = {
  max_budget: z.number().nullable(),
  soft_budget: z.number().nullable(),
  budget_duration: nullable,
  tpm_limit: z.number().nullable(),
  rpm_limit: z.number().nullable(),
  max_parallel_requests: z.number().nullable(),
  model_max_budget: object,
  model_rpm_limit: z.record(z.string(), z.number()),
  model_tpm_limit: z.record(z.string(), z.number()),
  hard_cap: z.number().nullable(),
  tiers: object.nullable().describe("Absent members stand as usual"),
  temp_budget_increase: z.number().nullable(),
  temp_budget_expiry: instant.nullable(),
  blocks_at_usd: z
    .number()
    .nullable()
    .describe("What may be spent in a window before requests are refused; null = any amount"),
};
const attachedShape = { budget_id: nullable };
export const provenanceShape = {
  created_by: nullable,
  created_at: instant,
  updated_by: nullable,
  updated_at: instant,
};

interface LimitColumns {
  maxBudgetNano: NanoUsd | null;
  softBudgetNano: NanoUsd | null;
  budgetDuration: string | null;
  tpmLimit: number | null;
  rpmLimit: number | null;
  maxParallelRequests: number | null;
  modelMaxBudget: ModelBudgets;
  hardCapNano: NanoUsd | null;
  tiers: Partial<Tiers> | null;
  tempBudgetNano: NanoUsd | null;
  /** Unix milliseconds. */
  tempBudgetUntil: number | null;
}

type LimitFields = { [K in keyof typeof LIMITS]?: z.output<(typeof LIMITS)[K]> };
type AttachedFields = LimitFields & { budget_id?: string | null };

/** The columns of a new row that its budget fields fill. */
export function limitColumns(fields: AttachedFields): LimitColumns & { budgetId: string | null } {
  return {
    maxBudgetNano: fields.max_budget == null ? null : nanoUsd(fields.max_budget),
    softBudgetNano: fields.soft_budget == null ? null : nanoUsd(fields.soft_budget),
    budgetDuration: fields.budget_duration ?? null,
    tpmLimit: fields.tpm_limit ?? null,
    rpmLimit: fields.rpm_limit ?? null,
    maxParallelRequests: fields.max_parallel_requests ?? null,
    modelMaxBudget: fields.model_max_budget ?? {},
    hardCapNano: fields.hard_cap == null ? null : nanoUsd(fields.hard_cap),
    tiers: tiersColumn(fields.tiers),
    tempBudgetNano:
      fields.temp_budget_increase == null ? null : nanoUsd(fields.temp_budget_increase),
    tempBudgetUntil:
      fields.temp_budget_expiry == null ? null : Date.parse(fields.temp_budget_expiry),
    budgetId: fields.budget_id ?? null,
  };
}

function tiersColumn(tiers: LimitFields["tiers"]): Partial<Tiers> | null {
  if (tiers == null) return null;
  const { warn, throttle, block, cap_output } = tiers;
  const warnAt = typeof warn === "number" ? warn : warn ? DEFAULT_TIERS.warnAt : null;
  return {
    ...(warn !== undefined && { warnAt }),
    ...(throttle !== undefined && { throttle }),
    ...(block !== undefined && { block }),
    ...(cap_output !== undefined && { capOutput: cap_output }),
  };
}

const LIMIT_COLUMNS = {
  max_budget: "maxBudgetNano",
  soft_budget: "softBudgetNano",
  budget_duration: "budgetDuration",
  tpm_limit: "tpmLimit",
  rpm_limit: "rpmLimit",
  max_parallel_requests: "maxParallelRequests",
  model_max_budget: "modelMaxBudget",
  hard_cap: "hardCapNano",
  tiers: "tiers",
  temp_budget_increase: "tempBudgetNano",
  temp_budget_expiry: "tempBudgetUntil",
  budget_id: "budgetId",
} as const satisfies Record<
  Exclude<keyof AttachedFields, MergedField>,
  keyof ReturnType<typeof limitColumns>
>;
const LIMIT_NAMES = Object.keys(LIMIT_COLUMNS) as (keyof typeof LIMIT_COLUMNS)[];

/** The columns that a change of budget fields sets: null clears one, an absent field leaves it. */
export function limitPatch(fields: AttachedFields): Partial<ReturnType<typeof limitColumns>> {
  const columns = limitColumns(fields);
  return Object.fromEntries(
    LIMIT_NAMES.filter((name) => fields[name] !== undefined).map((name) => {
      const column = LIMIT_COLUMNS[name];
      return [column, columns[column]];
    }),
  );
}

/** Budget and limits of a row, as answers show them. */
export function limitFields(row: LimitColumns & { createdAt: number }) {
  const { tiers } = row;
  const limits = limitsOf(row, "UTC");
  const cap = limits && blocksAt(limits, Date.now());
  return {
    max_budget: row.maxBudgetNano === null ? null : usdNumber(row.maxBudgetNano),
    soft_budget: row.softBudgetNano === null ? null : usdNumber(row.softBudgetNano),
    budget_duration: row.budgetDuration,
    tpm_limit: row.tpmLimit,
    rpm_limit: row.rpmLimit,
    max_parallel_requests: row.maxParallelRequests,
    model_max_budget: row.modelMaxBudget,
    ...countsByModel(row.modelMaxBudget),
    hard_cap: row.hardCapNano === null ? null : usdNumber(row.hardCapNano),
    tiers: tiers && {
      ...(tiers.warnAt !== undefined && { warn: tiers.warnAt ?? false }),
      ...(tiers.throttle !== undefined && { throttle: tiers.throttle }),
      ...(tiers.block !== undefined && { block: tiers.block }),
      ...(tiers.capOutput !== undefined && { cap_output: tiers.capOutput }),
    },
    temp_budget_increase: row.tempBudgetNano === null ? null : usdNumber(row.tempBudgetNano),
    temp_budget_expiry: row.tempBudgetUntil === null ? null : instantText(row.tempBudgetUntil),
    blocks_at_usd: cap === null ? null : usdNumber(cap),
  };
}

function attachedFields(row: { budgetId: string | null }) {
  return { budget_id: row.budgetId };
}

interface Provenance {
  createdBy: string | null;
  createdAt: number;
  updatedBy: string | null;
  updatedAt: number;
}

/** The columns that say who made a row, and when. */
export function made(by: string, at: number): Provenance {
  return { createdBy: by, createdAt: at, updatedBy: by, updatedAt: at };
}

/** The same for a row that is changed. */
export function changed(by: string, at: number): Pick<Provenance, "updatedBy" | "updatedAt"> {
  return { updatedBy: by, updatedAt: at };
}

/** An instant as answers show it. */
export function instantText(at: number): string {
  return new Date(at).toISOString();
}

export function provenanceFields(row: Provenance) {
  return {
    created_by: row.createdBy,
    created_at: instantText(row.createdAt),
    updated_by: row.updatedBy,
    updated_at: instantText(row.updatedAt),
  };
}

export const orgShape = z.object({
  organization_id: z.string(),
  organization_alias: z.string(),
  models: z.array(z.string()),
  blocked: z.boolean(),
  default_team_id: nullable,
  time_zone: z.string(),
  metadata: object,
  ...limitsShape,
  ...attachedShape,
  ...provenanceShape,
});

export function orgFields(row: OrgRow): z.input<typeof orgShape> {
  return {
    organization_id: row.chosenId ?? shownOrgId(row.id),
    organization_alias: row.alias,
    models: row.models,
    blocked: row.blocked,
    default_team_id: row.defaultTeamId,
    time_zone: row.timeZone,
    metadata: row.metadata,
    ...limitFields(row),
    ...attachedFields(row),
    ...provenanceFields(row),
  };
}

export const memberShape = z.object({
  user_id: z.string(),
  role: z.enum(["admin", "user"]),
});

export const teamShape = z.object({
  team_id: z.string(),
  team_alias: z.string(),
  organization_id: z.string(),
  models: z.array(z.string()),
  blocked: z.boolean(),
  model_aliases: z.record(z.string(), z.string()),
  members_with_roles: z.array(memberShape).optional(),
  tags: z.array(z.string()),
  metadata: object,
  ...limitsShape,
  ...attachedShape,
  ...provenanceShape,
});

export function teamFields(
  row: TeamRow,
  members?: Pick<TeamMemberRow, "userId" | "role">[],
): z.input<typeof teamShape> {
  return {
    team_id: row.id,
    team_alias: row.alias,
    organization_id: shownOrgId(row.orgId),
    models: row.models,
    blocked: row.blocked,
    model_aliases: row.aliases,
    ...(members && {
      members_with_roles: members.map((each) => ({ user_id: each.userId, role: each.role })),
    }),
    tags: row.tags,
    metadata: row.metadata,
    ...limitFields(row),
    ...attachedFields(row),
    ...provenanceFields(row),
  };
}

export const userShape = z.object({
  user_id: z.string(),
  user_email: nullable,
  user_alias: nullable,
  user_role: z.string(),
  active: z.boolean(),
  organization_id: z.string(),
  models: z.array(z.string()),
  metadata: object,
  ...limitsShape,
  ...attachedShape,
  ...provenanceShape,
});

export function userFields(row: UserRow): z.input<typeof userShape> {
  return {
    user_id: row.id,
    user_email: row.email,
    user_alias: row.alias,
    user_role: row.role,
    active: row.active,
    organization_id: shownOrgId(row.orgId),
    models: row.models,
    metadata: row.metadata,
    ...limitFields(row),
    ...attachedFields(row),
    ...provenanceFields(row),
  };
}

export const customerShape = z.object({
  user_id: z.string().describe("As requests name the customer"),
  alias: nullable,
  blocked: z.boolean(),
  allowed_model_region: nullable,
  default_model: nullable,
  team_id: nullable,
  metadata: object,
  ...limitsShape,
  ...attachedShape,
  spend: z.number().describe("US dollars, of all requests so far"),
  ...provenanceShape,
});

/** What somebody said of a customer. */
export function describedFields(row: CustomerRow) {
  return {
    user_id: row.id,
    alias: row.alias,
    blocked: row.blocked,
    allowed_model_region: row.allowedModelRegion,
    default_model: row.defaultModel,
    team_id: row.teamId,
    metadata: row.metadata,
    ...limitFields(row),
    ...attachedFields(row),
    ...provenanceFields(row),
  };
}

export function customerFields(row: CustomerRow, spend: NanoUsd): z.input<typeof customerShape> {
  return { ...describedFields(row), spend: usdNumber(spend) };
}

export const keyShape = z.object({
  token: z.string().describe("Public handle of the key, accepted wherever a call takes a key"),
  token_id: z.string().describe("The same handle"),
  key_name: z.string().describe("`sk-…` and the last four characters"),
  key_alias: nullable,
  key_type: z.enum(["default", "llm_api", "management", "read_only"]),
  expires: instant.nullable(),
  models: z.array(z.string()),
  aliases: z.record(z.string(), z.string()),
  team_id: nullable,
  user_id: nullable,
  organization_id: z.string(),
  allowed_ips: z.array(z.string()),
  blocked: z.boolean(),
  tags: z.array(z.string()),
  policy_id: nullable,
  router_settings: object,
  metadata: object,
  ...limitsShape,
  ...attachedShape,
  grace_until: instant
    .nullable()
    .describe("Until when the secret before the last regeneration works"),
  ...provenanceShape,
});

export function keyFields(row: KeyRow): z.input<typeof keyShape> {
  return {
    token: row.handle,
    token_id: row.handle,
    key_name: row.name,
    key_alias: row.alias,
    key_type: row.keyType,
    expires: row.expiresAt === null ? null : instantText(row.expiresAt),
    models: row.models,
    aliases: row.aliases,
    team_id: row.teamId,
    user_id: row.userId,
    organization_id: shownOrgId(row.orgId),
    allowed_ips: row.allowedIps,
    blocked: row.blocked,
    tags: row.tags,
    policy_id: row.policyId,
    router_settings: shownSettings(row.routerSettings),
    metadata: row.metadata,
    ...limitFields(row),
    ...attachedFields(row),
    grace_until: row.previousUntil === null ? null : instantText(row.previousUntil),
    ...provenanceFields(row),
  };
}

/** How much of a listing there is, as the management API's clients read it. */
export const pageShape = {
  page: z.number(),
  page_size: z.number(),
  total: z.number(),
  total_pages: z.number(),
};
