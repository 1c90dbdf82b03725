import * as z from "zod";
import type { Scope } from "../../core/scope.ts";
import { homeOf } from "../../core/scope.ts";
import { GatewayError } from "../../core/errors.ts";
import { usdText } from "../../core/money.ts";
import { timeOrderedId } from "../../core/ids.ts";
import {
  deleteBudgets,
  findBudget,
  holdersOf,
  insertBudget,
  limitHolder,
  listBudgets,
  touchOf,
  updateBudget,
} from "../../store/budgets.ts";
import type { BudgetPatch, BudgetRow, Holder, HolderKind } from "../../store/budgets.ts";
import { findCustomer } from "../../store/customers.ts";
import { findKey } from "../../store/keys.ts";
import { findTeam } from "../../store/teams.ts";
import { findUser } from "../../store/users.ts";
import type { AdminContext } from "../context.ts";
import { BUDGET_ROW } from "../examples.ts";
import { chosenId, customerId, LIMITS, ORG, PAGE, reference } from "../fields.ts";
import { operation, visible } from "../operation.ts";
import type { Operation } from "../operation.ts";
import {
  changed,
  limitColumns,
  limitFields,
  limitPatch,
  limitsShape,
  made,
  pageShape,
  provenanceFields,
  provenanceShape,
} from "../rows.ts";
import { fieldsOf } from "./key-changes.ts";

const attachedShape = z.object({
  scope: z.enum(["org", "team", "user", "key", "customer", "group"]),
  id: z.string(),
  spent_usd: z.string().describe("Settled in the present window"),
  reserved_usd: z.string().describe("Held by running requests, or lent to those that serve them"),
  state: z.enum(["ok", "warn", "throttle", "block"]),
  reset_at: z.string().nullable(),
});

const budgetShape = z.object({
  budget_id: z.string(),
  route: z.string().nullable().describe("The model group that it limits, whoever calls it"),
  ...limitsShape,
  ...provenanceShape,
  attached_to: z.array(attachedShape),
});

/** What a budget may be attached to, by the name of the field that names it. */
const ATTACH = {
  team_id: reference.nullish().describe("Team, by id or alias"),
  user_id: reference.nullish(),
  key: reference.nullish().describe("Key, by itself or by its public handle"),
  customer_id: customerId.nullish(),
  route: reference.nullish().describe("Model group: whoever calls it"),
};
type Attach = { [K in keyof typeof ATTACH]?: string | null } & { organization_id?: string | null };

/** What the call attaches its budget to; null where that is missing or not the caller's to see. */
async function holderFor(ctx: AdminContext, input: Attach): Promise<Holder | null | "missing"> {
  const { db } = ctx.deps;
  const named = Object.keys(ATTACH).filter((name) => input[name as keyof typeof ATTACH] != null);
  if (named.length > 1) {
    throw new GatewayError(
      "invalid_request",
      `${named[1]}: a budget is attached to one object; ${named[0]} is given already.`,
      { param: named[1] },
    );
  }
  if (input.team_id != null) {
    const row = await findTeam(db, ctx.orgId, input.team_id);
    return row ? { kind: "team", id: row.id, teamId: row.id } : "missing";
  }
  if (input.user_id != null) {
    const row = await findUser(db, ctx.orgId, input.user_id);
    return row ? { kind: "user", id: row.id, teamId: null } : "missing";
  }
  if (input.key != null) {
    const id = ctx.deps.keys.parse(input.key)?.keyId ?? input.key;
    const row = await findKey(db, ctx.orgId, id);
    return row ? { kind: "key", id: row.id, teamId: row.teamId } : "missing";
  }
  if (input.customer_id != null) {
    const row = await findCustomer(db, ctx.orgId, input.customer_id);
    return row ? { kind: "customer", id: row.id, teamId: null } : "missing";
  }
  if (input.route != null || input.organization_id == null) return null;
  return { kind: "org", id: ctx.orgId, teamId: null };
}

const subjectOf = (ctx: AdminContext, holder: Holder | null) => ({
  orgId: ctx.orgId,
  ...(holder?.teamId != null && { teamId: holder.teamId }),
  ...(holder?.kind === "user" && { userId: holder.id }),
});

/** A budget as answers show it, with how everything stands that it limits. */
async function shown(ctx: AdminContext, row: BudgetRow, holders?: Holder[]) {
  const all = holders ?? (await holdersOf(ctx.deps.db, ctx.orgId, row.id));
  const { org } = await ctx.deps.directory.openOrg(ctx.orgId);
  const scopes: { scope: Scope; teamId: string | null }[] = all.map(({ kind, id, teamId }) => ({
    scope: { kind, id },
    teamId: kind === "team" ? id : (teamId ?? org.defaultTeamId ?? "default"),
  }));
  if (row.route !== null) scopes.push({ scope: { kind: "group", id: row.route }, teamId: null });
  const attached = await Promise.all(
    scopes.slice(0, 100).map(async ({ scope, teamId }) => {
      const books = ctx.deps.books(ctx.orgId, homeOf(scope) ?? teamId ?? "default");
      const [spend] = await books.spend([scope]);
      const { settled, outstanding, view } = spend ?? {};
      return {
        scope: scope.kind as HolderKind | "group",
        id: scope.id,
        spent_usd: usdText(settled?.cost ?? 0),
        reserved_usd: usdText(outstanding?.cost ?? 0),
        state: view?.state ?? "ok",
        reset_at: view?.endsAt == null ? null : new Date(view.endsAt).toISOString(),
      };
    }),
  );
  return {
    budget_id: row.id,
    route: row.route,
    ...limitFields(row),
    ...provenanceFields(row),
    attached_to: attached,
  };
}

const create = operation({
  id: "budget.new",
  section: "Budgets",
  summary: "Make a budget, and attach it",
  notes:
    "Attached to one team, user, key, customer or model group (`route`), or with `organization_id` alone to the organization; or to nothing yet: other calls may name it as `budget_id`. It holds exactly, whoever calls at the same time: what a request may come to is set aside before its provider is called. Windows follow the clock of the organization's time zone, and nothing has to reset them.",
  http: [{ method: "POST", path: "/budget/new" }],
  permission: { resource: "budget", action: "write" },
  event: "budget.created",
  input: z.object({
    ...ORG,
    budget_id: chosenId.nullish().describe("An id of your choice; one is made if absent"),
    ...ATTACH,
    ...LIMITS,
  }),
  output: budgetShape,
  example: {
    input: { max_budget: 100, budget_duration: "1mo", team_id: "search" },
    output: BUDGET_ROW,
  },
  errors: ["invalid_request", "conflict", "not_found"],
  missing: { what: "object to attach a budget to", param: "team_id" },
  async target(ctx, input) {
    const holder = await holderFor(ctx, input);
    return holder === "missing" ? null : { subject: subjectOf(ctx, holder), object: holder };
  },
  async run(ctx, input, holder) {
    const { budgetId: _, ...columns } = limitColumns(input);
    const row: BudgetRow = {
      orgId: ctx.orgId,
      id: input.budget_id ?? `b_${timeOrderedId(ctx.now)}`,
      route: input.route ?? null,
      budgetResetAt: null,
      ...columns,
      ...made(ctx.actor, ctx.now),
    };
    const attach = { ...columns, budgetId: row.id, ...changed(ctx.actor, ctx.now) };
    await ctx.commit({
      statements: [insertBudget(row), ...(holder ? [limitHolder(ctx.orgId, holder, attach)] : [])],
      touches: [...(holder ? [touchOf(holder)] : []), ...(row.route === null ? [] : ["shared"])],
      events: [
        {
          type: "budget.created",
          objectId: row.id,
          after: { budget_id: row.id, route: row.route, ...limitFields(row) },
          data: { attached_to: holder ? `${holder.kind}:${holder.id}` : null },
        },
      ],
    });
    return shown(ctx, row, holder ? [holder] : []);
  },
});

async function budgetTarget(ctx: AdminContext, id: string) {
  const row = await findBudget(ctx.deps.db, ctx.orgId, id);
  if (row === null) return null;
  const holders = await holdersOf(ctx.deps.db, ctx.orgId, id);
  const subject =
    holders.length === 0 ? [subjectOf(ctx, null)] : holders.map((each) => subjectOf(ctx, each));
  return { subject, object: { row, holders } };
}

const MISSING = { what: "budget", param: "budget_id" };

const update = operation({
  id: "budget.update",
  section: "Budgets",
  summary: "Change a budget and everything that is attached to it",
  notes:
    "Absent fields stay, null clears one. Where less is allowed than before, the answer comes once nothing is served any more under the earlier limit, within 5 s; requests that are running then keep what they have set aside.",
  http: [{ method: "POST", path: "/budget/update" }],
  permission: { resource: "budget", action: "write" },
  event: "budget.updated",
  input: z.object({ ...ORG, budget_id: reference, ...LIMITS }),
  output: budgetShape,
  example: { input: { budget_id: "b_7Qm2xZ", max_budget: 100 }, output: BUDGET_ROW },
  errors: ["not_found"],
  missing: MISSING,
  target: (ctx, input) => budgetTarget(ctx, input.budget_id),
  async run(ctx, input, { row, holders }) {
    const { budget_id: _, ...fields } = input;
    const patch: BudgetPatch = { ...limitPatch(fields), ...changed(ctx.actor, ctx.now) };
    const after: BudgetRow = { ...row, ...(patch as Partial<BudgetRow>) };
    await ctx.commit({
      statements: [
        updateBudget(ctx.orgId, row.id, patch),
        ...holders.map((holder) => limitHolder(ctx.orgId, holder, patch, row)),
      ],
      touches: [...holders.map(touchOf), ...(row.route === null ? [] : ["shared"])],
      events: [
        {
          type: "budget.updated",
          objectId: row.id,
          before: limitFields(row),
          after: limitFields(after),
          data: { fields: fieldsOf(input, ["budget_id", "organization_id"]) },
        },
      ],
    });
    return shown(ctx, after, holders);
  },
});

const remove = operation({
  id: "budget.delete",
  section: "Budgets",
  summary: "Delete a budget",
  notes:
    "What was attached to it is not limited by it any more, only by what it has of its own; what was spent stays on record.",
  http: [{ method: "POST", path: "/budget/delete" }],
  permission: { resource: "budget", action: "write" },
  event: "budget.deleted",
  input: z.object({ ...ORG, id: reference }),
  output: z.object({ budget_id: z.string(), deleted: z.literal(true) }),
  example: { input: { id: "b_7Qm2xZ" }, output: { budget_id: "b_7Qm2xZ", deleted: true } },
  errors: ["not_found"],
  missing: { what: "budget", param: "id" },
  target: (ctx, input) => budgetTarget(ctx, input.id),
  async run(ctx, _, { row, holders }) {
    const { budgetId: __, ...nothing } = limitColumns({});
    const detach = { ...nothing, budgetId: null, ...changed(ctx.actor, ctx.now) };
    await ctx.commit({
      statements: [
        deleteBudgets(ctx.orgId, [row.id]),
        ...holders.map((holder) => limitHolder(ctx.orgId, holder, detach, row)),
      ],
      touches: [...holders.map(touchOf), ...(row.route === null ? [] : ["shared"])],
      events: [{ type: "budget.deleted", objectId: row.id, before: limitFields(row) }],
    });
    return { budget_id: row.id, deleted: true as const };
  },
});

const info = operation({
  id: "budget.info",
  section: "Budgets",
  summary: "Show budgets and how they stand",
  http: [{ method: "POST", path: "/budget/info" }],
  permission: { resource: "budget", action: "read" },
  event: null,
  input: z.object({
    ...ORG,
    budgets: z.array(reference).min(1, "Must not be empty").max(100, "At most 100 budgets"),
  }),
  output: z.array(budgetShape),
  example: { input: { budgets: ["b_7Qm2xZ"] }, output: [BUDGET_ROW] },
  errors: ["not_found"],
  missing: { what: "budget", param: "budgets" },
  async target(ctx, input) {
    const found = await Promise.all([...new Set(input.budgets)].map((id) => budgetTarget(ctx, id)));
    const all = found.filter((each) => each !== null);
    if (all.length < found.length) return null;
    return {
      subject: all.flatMap(({ subject }) => subject),
      object: all.map((each) => each.object),
    };
  },
  run: (ctx, _, all) => Promise.all(all.map(({ row, holders }) => shown(ctx, row, holders))),
});

const list = operation({
  id: "budget.list",
  section: "Budgets",
  summary: "List the budgets that you may see",
  http: [{ method: "GET", path: "/budget/list" }],
  permission: { resource: "budget", action: "read" },
  event: null,
  input: z.object({ ...ORG, ...PAGE }),
  output: z.object({ budgets: z.array(budgetShape), ...pageShape }),
  example: {
    input: {},
    output: { budgets: [BUDGET_ROW], page: 1, page_size: 10, total: 1, total_pages: 1 },
  },
  errors: [],
  target: visible,
  async run(ctx, input) {
    const { rows, ...rest } = await listBudgets(ctx.deps.db, ctx.orgId, input);
    const seen = [];
    for (const row of rows) {
      const found = await budgetTarget(ctx, row.id);
      const may = found?.subject.every((subject) => ctx.may("budget", "read", subject));
      if (found && may === true) seen.push(await shown(ctx, row, found.object.holders));
    }
    return { budgets: seen, ...rest };
  },
});

const settings = operation({
  id: "budget.settings",
  section: "Budgets",
  summary: "List what can be set on a budget",
  http: [{ method: "GET", path: "/budget/settings" }],
  permission: { resource: "budget", action: "read" },
  event: null,
  input: z.object({ ...ORG, budget_id: reference }),
  output: z.array(
    z.object({ field_name: z.string(), field_description: z.string(), field_value: z.unknown() }),
  ),
  example: {
    input: { budget_id: "b_7Qm2xZ" },
    output: [{ field_name: "max_budget", field_description: "US dollars", field_value: 100 }],
  },
  errors: ["not_found"],
  missing: MISSING,
  target: (ctx, input) => budgetTarget(ctx, input.budget_id),
  async run(_, __, { row }) {
    const values: Record<string, unknown> = limitFields(row);
    return Object.entries(LIMITS).map(([name, field]) => ({
      field_name: name,
      field_description: field.description ?? field.unwrap().description ?? "",
      field_value: values[name] ?? null,
    }));
  },
});

export const BUDGETS: readonly Operation[] = [create, update, remove, info, list, settings];
