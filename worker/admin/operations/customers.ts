import * as z from "zod";
import { GatewayError } from "../../core/errors.ts";
import {
  countHeldCustomers,
  customerSpend,
  deleteCustomers,
  findCustomer,
  insertCustomer,
  listCustomers,
  updateCustomer,
  type CustomerPatch,
  type CustomerRow,
} from "../../store/customers.ts";
import { findTeam, type TeamRow } from "../../store/teams.ts";
import type { AdminContext } from "../context.ts";
import { CUSTOMER_ROW, PAGE_ROW } from "../examples.ts";
import { alias, customerId, ATTACHED_LIMITS, metadata, ORG, PAGE, reference } from "../fields.ts";
import { CUSTOMER_REGIONS } from "../../core/residency.ts";
import { notFound, operation, visible } from "../operation.ts";
import {
  changed,
  customerFields,
  customerShape,
  describedFields,
  limitColumns,
  limitPatch,
  made,
} from "../rows.ts";
import { STANDING, standingOf, standingShape } from "../spend.ts";
import { fieldsOf } from "./key-changes.ts";

/** Every isolate that serves the organization has all of them in memory. */
const MOST_HELD = 10_000;
const MISSING = { what: "customer", param: "user_id" };

export const subjectOf = (ctx: AdminContext, row: Pick<CustomerRow, "teamId">) => ({
  orgId: ctx.orgId,
  teamId: row.teamId ?? undefined,
});

/** The team that looks after a customer: as named, or the caller's own for who may not act for the whole organization. */
async function teamFor(
  ctx: AdminContext,
  named: string | null | undefined,
): Promise<TeamRow | null> {
  const all = ctx.mayAll("customer", "create");
  const name = named ?? (all ? undefined : ctx.principal.teamId);
  if (name === undefined) return null;
  const team = await findTeam(ctx.deps.db, ctx.orgId, name);
  const known =
    team !== null && ctx.may("customer", "create", { orgId: ctx.orgId, teamId: team.id });
  if (!known) throw notFound("team", "team_id");
  return team;
}

async function customerTarget(ctx: AdminContext, id: string) {
  const row = await findCustomer(ctx.deps.db, ctx.orgId, id);
  return row && { subject: subjectOf(ctx, row), object: row };
}

export async function requireRoom(ctx: AdminContext, more: number): Promise<void> {
  if ((await countHeldCustomers(ctx.deps.db, ctx.orgId)) + more <= MOST_HELD) return;
  throw new GatewayError(
    "invalid_request",
    `user_ids: at most ${MOST_HELD} customers of an organization are blocked or have a region or a model of their own.`,
    { param: "user_ids" },
  );
}

/** Whether isolates have the customer in memory: only what concerns the path is there. */
export function isHeld(row: CustomerRow): boolean {
  return row.blocked || row.allowedModelRegion !== null || row.defaultModel !== null;
}

/** A row of a customer that is only blocked, and not described. */
export function bare(ctx: AdminContext, id: string, teamId: string | null): CustomerRow {
  return {
    orgId: ctx.orgId,
    id,
    alias: null,
    blocked: false,
    allowedModelRegion: null,
    defaultModel: null,
    teamId,
    metadata: {},
    budgetResetAt: null,
    ...limitColumns({}),
    ...made(ctx.actor, ctx.now),
  };
}

const DESCRIBED = {
  alias: alias.nullish(),
  metadata: metadata.nullish(),
  team_id: reference.nullish().describe("The team that looks after this customer"),
  allowed_model_region: z
    .enum(CUSTOMER_REGIONS)
    .nullish()
    .describe("Only deployments there serve this customer: eu, us, or a residency class"),
  default_model: alias.nullish().describe("Serves this customer's requests that name no model"),
  ...ATTACHED_LIMITS,
};

const create = operation({
  id: "customer.new",
  section: "Customers",
  summary: "Describe an end customer",
  notes:
    "Requests name a customer as `user` or `customer_id`. They need not be described before: whoever is named is accepted and charged; what is described here gets a name, limits, or a block.",
  http: [{ method: "POST", path: "/customer/new" }],
  permission: { resource: "customer", action: "create" },
  event: "customer.created",
  input: z.object({
    ...ORG,
    user_id: customerId.describe("As requests name the customer"),
    blocked: z.boolean().default(false),
    ...DESCRIBED,
  }),
  output: customerShape,
  example: {
    input: { user_id: "shop-4711", alias: "Corner shop", max_budget: 20, budget_duration: "30d" },
    output: CUSTOMER_ROW,
  },
  errors: ["conflict", "not_found"],
  missing: { what: "team", param: "team_id" },
  async target(ctx, input) {
    const team = await teamFor(ctx, input.team_id);
    return { subject: { orgId: ctx.orgId, teamId: team?.id }, object: team };
  },
  async run(ctx, input, team) {
    const row: CustomerRow = {
      ...bare(ctx, input.user_id, team?.id ?? null),
      alias: input.alias ?? null,
      blocked: input.blocked,
      allowedModelRegion: input.allowed_model_region ?? null,
      defaultModel: input.default_model ?? null,
      metadata: input.metadata ?? {},
      ...limitColumns(input),
    };
    if (isHeld(row)) await requireRoom(ctx, 1);
    await ctx.commit({
      statements: [insertCustomer(ctx.orgId, row)],
      touches: isHeld(row) ? ["shared", `customer:${row.id}`] : [`customer:${row.id}`],
      events: [
        {
          type: "customer.created",
          objectId: row.id,
          teamId: team?.id,
          after: describedFields(row),
        },
      ],
    });
    return customerFields(row, 0);
  },
});

const update = operation({
  id: "customer.update",
  section: "Customers",
  summary: "Change what is known of a customer",
  notes: "Absent fields stay, null clears one.",
  http: [{ method: "POST", path: "/customer/update" }],
  permission: { resource: "customer", action: "write" },
  event: "customer.updated",
  input: z.object({
    ...ORG,
    user_id: reference,
    blocked: z.boolean().optional(),
    ...DESCRIBED,
  }),
  output: customerShape,
  example: { input: { user_id: "shop-4711", max_budget: 20 }, output: CUSTOMER_ROW },
  errors: ["invalid_request", "not_found"],
  missing: MISSING,
  target: (ctx, input) => customerTarget(ctx, input.user_id),
  async run(ctx, input, row) {
    const patch: CustomerPatch = { ...limitPatch(input), ...changed(ctx.actor, ctx.now) };
    if (input.alias !== undefined) patch.alias = input.alias;
    if (input.metadata !== undefined) patch.metadata = input.metadata ?? {};
    if (input.team_id !== undefined) {
      patch.teamId = (await teamFor(ctx, input.team_id))?.id ?? null;
    }
    if (input.blocked !== undefined) patch.blocked = input.blocked;
    if (input.allowed_model_region !== undefined) {
      patch.allowedModelRegion = input.allowed_model_region;
    }
    if (input.default_model !== undefined) patch.defaultModel = input.default_model;
    const after: CustomerRow = { ...row, ...(patch as Partial<CustomerRow>) };
    if (isHeld(after) && !isHeld(row)) await requireRoom(ctx, 1);
    await ctx.commit({
      statements: [updateCustomer(ctx.orgId, row.id, patch)],
      touches:
        isHeld(after) || isHeld(row) ? ["shared", `customer:${row.id}`] : [`customer:${row.id}`],
      events: [
        {
          type: "customer.updated",
          objectId: row.id,
          teamId: after.teamId ?? undefined,
          before: describedFields(row),
          after: describedFields(after),
          data: { fields: fieldsOf(input, ["user_id", "organization_id"]) },
        },
      ],
    });
    const spend = await customerSpend(ctx.deps.db, ctx.orgId, row.id);
    return customerFields(after, spend ?? 0);
  },
});

export const ids = z
  .array(customerId)
  .min(1, "Must not be empty")
  .max(100, "At most 100 customers");

/** All customers that are named; null where one is missing. */
export async function customersNamed(ctx: AdminContext, names: readonly string[]) {
  const rows: CustomerRow[] = [];
  for (const id of new Set(names)) {
    const row = await findCustomer(ctx.deps.db, ctx.orgId, id);
    if (row === null) return null;
    rows.push(row);
  }
  return { subject: rows.map((row) => subjectOf(ctx, row)), object: rows };
}

const remove = operation({
  id: "customer.delete",
  section: "Customers",
  summary: "Forget customers",
  notes:
    "All of them or, where one is missing, none. Their limits and blocks end; what they spent stays on record.",
  http: [{ method: "POST", path: "/customer/delete" }],
  permission: { resource: "customer", action: "delete" },
  event: "customer.deleted",
  input: z.object({ ...ORG, user_ids: ids }),
  output: z.object({ deleted_customers: z.number(), message: z.string() }),
  example: {
    input: { user_ids: ["shop-4711"] },
    output: { deleted_customers: 1, message: "1 customer was deleted." },
  },
  errors: ["not_found"],
  missing: { what: "customer", param: "user_ids" },
  target: (ctx, input) => customersNamed(ctx, input.user_ids),
  async run(ctx, _, rows) {
    await ctx.commit({
      statements: [
        deleteCustomers(
          ctx.orgId,
          rows.map((row) => row.id),
        ),
      ],
      touches: ["shared", ...rows.map((row) => `customer:${row.id}`)],
      events: rows.map((row) => ({
        type: "customer.deleted",
        objectId: row.id,
        teamId: row.teamId ?? undefined,
        before: describedFields(row),
      })),
    });
    const { length } = rows;
    const message = length === 1 ? "1 customer was deleted." : `${length} customers were deleted.`;
    return { deleted_customers: length, message };
  },
});

export function shown(ctx: AdminContext, rows: readonly CustomerRow[]) {
  return Promise.all(
    rows.map(async (row) =>
      customerFields(row, (await customerSpend(ctx.deps.db, ctx.orgId, row.id)) ?? 0),
    ),
  );
}

const info = operation({
  id: "customer.info",
  section: "Customers",
  summary: "Show a customer and what it spent",
  notes: "Also one that nobody described, once a request named it.",
  http: [{ method: "GET", path: "/customer/info" }],
  permission: { resource: "customer", action: "read" },
  event: null,
  input: z.object({ ...ORG, end_user_id: reference.describe("As requests name the customer") }),
  output: customerShape.extend(standingShape),
  example: { input: { end_user_id: "shop-4711" }, output: { ...CUSTOMER_ROW, ...STANDING } },
  errors: ["not_found"],
  missing: { what: "customer", param: "end_user_id" },
  async target(ctx, input) {
    const { db } = ctx.deps;
    const [known, spend] = await Promise.all([
      findCustomer(db, ctx.orgId, input.end_user_id),
      customerSpend(db, ctx.orgId, input.end_user_id),
    ]);
    if (known === null && spend === null) return null;
    const row = known ?? {
      ...bare(ctx, input.end_user_id, null),
      createdBy: null,
      updatedBy: null,
    };
    return { subject: subjectOf(ctx, row), object: { row, spend: spend ?? 0 } };
  },
  run: async (ctx, _, { row, spend }) => ({
    ...customerFields(row, spend),
    ...(await standingOf(ctx, { kind: "customer", id: row.id })),
  }),
});

const list = operation({
  id: "customer.list",
  section: "Customers",
  summary: "List the customers that are described",
  notes:
    "By id, in pages; `x-total-count` tells how many there are. A team's admin sees those of the team.",
  http: [{ method: "GET", path: "/customer/list" }],
  permission: { resource: "customer", action: "read" },
  event: null,
  input: z.object({ ...ORG, ...PAGE }),
  output: z.array(customerShape),
  example: { input: { page: PAGE_ROW.page }, output: [CUSTOMER_ROW] },
  errors: [],
  target: visible,
  async run(ctx, input) {
    const teamId = ctx.mayAll("customer", "read") ? undefined : (ctx.principal.teamId ?? "");
    const found = await listCustomers(ctx.deps.db, ctx.orgId, { ...input, teamId });
    ctx.headers["x-total-count"] = String(found.total);
    return shown(ctx, found.rows);
  },
});

export const CUSTOMERS = [create, update, remove, info, list];
