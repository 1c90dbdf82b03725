import * as z from "zod";
import type { Subject } from "../../core/principal.ts";
import { customerNames, orgNames, teamNames, userNames } from "../../store/names.ts";
import { findOrg } from "../../store/orgs.ts";
import { findTeam } from "../../store/teams.ts";
import type { UsageOfDays } from "../../store/usage-days.ts";
import { findUser } from "../../store/users.ts";
import { activity, ACTIVITY, activityShape, daysOf, nameList } from "../activity.ts";
import type { AdminContext } from "../context.ts";
import { ACTIVITY_ROW } from "../examples.ts";
import { reference } from "../fields.ts";
import { notFound, operation, type Target } from "../operation.ts";
import { keyNamed, ownerOf } from "./keys.ts";

const PERMISSION = { resource: "spend", action: "read" } as const;
const NOTES =
  "By UTC day, newest first, with the sums of all days of the question in metadata. Pages are of days that saw use; of each day the 200 dearest parts of a kind are shown. What a ledger debited is here within seconds, also of what was deleted since.";

type Asked = z.output<z.ZodObject<typeof ACTIVITY>>;

/** The part of a question that every entity shares; a key that the caller may not see is a missing one. */
async function about(ctx: AdminContext, input: Asked): Promise<UsageOfDays> {
  const days = daysOf(input, ctx.now);
  const { model, api_key: key } = input;
  if (key === undefined) return { ...days, model };
  const row = await keyNamed(ctx, key);
  if (row === null || !ctx.may("key", "read", ownerOf(row))) throw notFound("key", "api_key");
  return { ...days, model, keyId: row.id };
}

function paging({ page, page_size }: Asked) {
  return { page, page_size };
}

const ofOrganization = operation({
  id: "organization.activity",
  section: "Organizations",
  summary: "Show what an organization used, by day",
  notes: `${NOTES} The platform admin may name several organizations.`,
  http: [{ method: "GET", path: "/organization/daily/activity" }],
  permission: PERMISSION,
  event: null,
  input: z.object({
    ...ACTIVITY,
    organization_ids: nameList.optional().describe("Ids, joined by commas; the own one if absent"),
  }),
  output: activityShape,
  example: { input: { start_date: "2026-11-01" }, output: ACTIVITY_ROW },
  errors: ["not_found"],
  missing: { what: "organization", param: "organization_ids" },
  async target(ctx, input): Promise<Target<string[]> | null> {
    const subject = { orgId: ctx.orgId };
    ctx.require("spend", "read", subject);
    const ids = new Set<string>();
    for (const name of input.organization_ids ?? [ctx.orgId]) {
      const row = await findOrg(ctx.deps.db, name);
      if (row === null) return null;
      if (row.id !== ctx.orgId && !ctx.mayAll("platform", "read")) return null;
      ids.add(row.id);
    }
    return { subject, object: [...ids] };
  },
  run: async (ctx, input, orgIds) =>
    activity(ctx, {
      orgIds,
      of: await about(ctx, input),
      entity: "organization",
      namesOf: (ids) => orgNames(ctx.deps.db, ids),
      ...paging(input),
    }),
});

/** The teams of a question: null = all. Whoever may not see all sees the own one, and no other exists. */
async function teamsAsked(
  ctx: AdminContext,
  names: string[] | undefined,
): Promise<Target<string[] | null> | null> {
  const { orgId, teamId } = ctx.principal;
  const all = ctx.mayAll("spend", "read");
  const own: Subject = { orgId, teamId };
  if (!all) ctx.require("spend", "read", own);
  if (names === undefined) return { subject: own, object: all ? null : [teamId ?? ""] };
  const ids = new Set<string>();
  for (const name of names) {
    const row = await findTeam(ctx.deps.db, orgId, name);
    // What is gone is still on record, under its id.
    if (row === null && !all) return null;
    ids.add(row?.id ?? name);
  }
  return { subject: [...ids].map((id) => ({ orgId, teamId: id })), object: [...ids] };
}

const ofTeams = operation({
  id: "team.activity",
  section: "Teams",
  summary: "Show what teams used, by day",
  notes: NOTES,
  http: [{ method: "GET", path: "/team/daily/activity" }],
  permission: PERMISSION,
  event: null,
  input: z.object({
    ...ACTIVITY,
    team_ids: nameList.optional().describe("Ids or aliases, joined by commas; all if absent"),
    team_id: reference.optional().describe("The same for one"),
  }),
  output: activityShape,
  example: { input: { team_ids: "search", start_date: "2026-11-01" }, output: ACTIVITY_ROW },
  errors: ["not_found"],
  missing: { what: "team", param: "team_ids" },
  target: (ctx, input) => teamsAsked(ctx, together(input.team_ids, input.team_id)),
  run: async (ctx, input, teamIds) =>
    activity(ctx, {
      orgIds: [ctx.orgId],
      of: { ...(await about(ctx, input)), ...(teamIds && { teamIds }) },
      entity: "team",
      namesOf: (ids) => teamNames(ctx.deps.db, ctx.orgId, ids),
      ...paging(input),
    }),
});

const ofUsers = operation({
  id: "user.activity",
  section: "Users",
  summary: "Show what users used, by day",
  notes: `${NOTES} Whoever may not see every user sees the own use; a key without a user sees its own.`,
  http: [{ method: "GET", path: "/user/daily/activity" }],
  permission: PERMISSION,
  event: null,
  input: z.object({
    ...ACTIVITY,
    user_ids: nameList
      .optional()
      .describe("Ids or e-mail addresses, joined by commas; all if absent"),
    user_id: reference.optional().describe("The same for one"),
  }),
  output: activityShape,
  example: { input: { user_id: "ada", start_date: "2026-11-01" }, output: ACTIVITY_ROW },
  errors: ["not_found"],
  missing: { what: "user", param: "user_ids" },
  async target(ctx, input): Promise<Target<UsageOfWhom> | null> {
    const { orgId, userId, keyId } = ctx.principal;
    const all = ctx.mayAll("spend", "read");
    const names = together(input.user_ids, input.user_id);
    if (names === undefined) {
      const own = userId === undefined ? { keyId } : { userIds: [userId] };
      return { subject: ctx.nearest, object: all ? { having: "user" } : own };
    }
    const ids = new Set<string>();
    for (const name of names) {
      const row = await findUser(ctx.deps.db, orgId, name);
      if (row === null && !all) return null;
      ids.add(row?.id ?? name);
    }
    return {
      subject: [...ids].map((id) => ({ orgId, userId: id })),
      object: { userIds: [...ids] },
    };
  },
  run: async (ctx, input, whose) =>
    activity(ctx, {
      orgIds: [ctx.orgId],
      of: { ...(await about(ctx, input)), ...whose },
      entity: "user",
      namesOf: (ids) => userNames(ctx.deps.db, ctx.orgId, ids),
      ...paging(input),
    }),
});

type UsageOfWhom = Pick<UsageOfDays, "userIds" | "keyId" | "having">;

const ofCustomers = operation({
  id: "customer.activity",
  section: "Customers",
  summary: "Show what end customers used, by day",
  notes: `${NOTES} A team's admin sees what customers used through the team.`,
  http: [{ method: "GET", path: "/customer/daily/activity" }],
  permission: PERMISSION,
  event: null,
  input: z.object({
    ...ACTIVITY,
    end_user_ids: nameList
      .optional()
      .describe("As requests name them, joined by commas or as a JSON list; all if absent"),
  }),
  output: activityShape,
  example: { input: { end_user_ids: "shop-4711" }, output: ACTIVITY_ROW },
  errors: ["not_found"],
  target: (ctx) => teamsAsked(ctx, undefined),
  run: async (ctx, input, teamIds) =>
    activity(ctx, {
      orgIds: [ctx.orgId],
      of: {
        ...(await about(ctx, input)),
        ...(teamIds && { teamIds }),
        ...(input.end_user_ids ? { customerIds: input.end_user_ids } : { having: "customer" }),
      },
      entity: "customer",
      namesOf: (ids) => customerNames(ctx.deps.db, ctx.orgId, ids),
      ...paging(input),
    }),
});

function together(many: string[] | undefined, one: string | undefined): string[] | undefined {
  if (one === undefined) return many;
  return [...new Set([...(many ?? []), one])];
}

export const DAILY_ACTIVITY = [ofOrganization, ofTeams, ofUsers, ofCustomers];
