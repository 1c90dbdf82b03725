import { memberSpend, STANDING, standingOf, standingShape, teamSpend } from "../spend.ts";
import { MEMBERSHIP, membershipFields, membershipShape } from "../membership.ts";
import * as z from "zod";
import { usdNumber } from "../../core/money.ts";
import type { Db } from "../../store/database.ts";
import { listKeys } from "../../store/keys.ts";
import {
  findTeam,
  findTeamMember,
  insertTeam,
  insertTeamMember,
  listTeamMembers,
  listTeams,
  type TeamRow,
} from "../../store/teams.ts";
import { findUser } from "../../store/users.ts";
import { CAPABILITIES, requireCapabilities } from "../capabilities.ts";
import type { AdminContext } from "../context.ts";
import { KEY_ROW, TEAM_ROW } from "../examples.ts";
import { invalidField } from "../faults.ts";
import {
  alias,
  aliases,
  chosenId,
  ATTACHED_LIMITS,
  metadata,
  models,
  ORG,
  PAGE,
  reference,
  tags,
} from "../fields.ts";
import { inOrg, notFound, operation, visible } from "../operation.ts";
import {
  keyFields,
  keyShape,
  limitColumns,
  made,
  type memberShape,
  teamFields,
  teamShape,
} from "../rows.ts";

/** A member as callers name one. */
export const member = z
  .object({
    user_id: reference.optional(),
    user_email: reference.optional(),
    role: z.enum(["admin", "user"]).default("user"),
  })
  .refine((each) => each.user_id !== undefined || each.user_email !== undefined, {
    error: "Needs a user_id or a user_email",
  });

/** Each user once, by id; a user that is not of this organization is missing. */
export async function membersOf(
  ctx: AdminContext,
  wanted: z.output<typeof member>[],
  field = "members_with_roles",
) {
  const members = new Map<string, z.output<typeof memberShape>>();
  for (const [index, each] of wanted.entries()) {
    const user = await findUser(ctx.deps.db, ctx.orgId, each.user_id ?? each.user_email ?? "");
    if (user === null) throw notFound("user", `${field}[${index}]`);
    if (members.has(user.id)) {
      throw invalidField([field, index], "The same user stands here twice");
    }
    members.set(user.id, { user_id: user.id, role: each.role });
  }
  return [...members.values()];
}

/** True when the caller may see the team, by role, by key, or by being a member of it. */
export async function seesTeam(ctx: AdminContext, db: Db, team: TeamRow): Promise<boolean> {
  if (ctx.may("team", "read", { orgId: ctx.orgId, teamId: team.id })) return true;
  const { userId } = ctx.principal;
  if (userId === undefined || !ctx.may("team", "read", ctx.nearest)) return false;
  return (await findTeamMember(db, ctx.orgId, team.id, userId)) !== null;
}

const create = operation({
  id: "team.new",
  section: "Teams",
  summary: "Create a team",
  notes: "The alias is unique in the organization and is accepted wherever a team_id is asked for.",
  http: [{ method: "POST", path: "/team/new" }],
  permission: { resource: "team", action: "create" },
  event: "team.created",
  input: z.object({
    team_alias: alias.nullish().describe("The team's id, if absent"),
    team_id: chosenId.nullish().describe("An id of your choice; one is made if absent"),
    ...ORG,
    models: models.default([]).describe("What its keys may call; empty = all"),
    members_with_roles: z.array(member).max(100, "At most 100 members").default([]),
    model_aliases: aliases.default({}),
    tags: tags.default([]),
    metadata: metadata.default({}),
    blocked: z.boolean().default(false),
    guardrails: CAPABILITIES.guardrails,
    ...ATTACHED_LIMITS,
  }),
  output: teamShape,
  example: {
    input: {
      team_alias: "search",
      models: ["gpt-4o-mini"],
      max_budget: 250,
      budget_duration: "30d",
    },
    output: { ...TEAM_ROW, members_with_roles: [] },
  },
  errors: ["conflict", "not_found"],
  target: inOrg,
  async run(ctx, input) {
    requireCapabilities(input);
    const id = input.team_id ?? crypto.randomUUID();
    const members = await membersOf(ctx, input.members_with_roles);
    const row: TeamRow = {
      orgId: ctx.orgId,
      id,
      alias: input.team_alias ?? id,
      models: input.models,
      blocked: input.blocked,
      aliases: input.model_aliases,
      tags: input.tags,
      metadata: input.metadata,
      budgetResetAt: null,
      ...limitColumns(input),
      ...made(ctx.actor, ctx.now),
    };
    await ctx.commit({
      statements: [
        insertTeam(ctx.orgId, row),
        ...members.map((each) =>
          insertTeamMember(ctx.orgId, {
            teamId: id,
            userId: each.user_id,
            role: each.role,
            createdAt: ctx.now,
          }),
        ),
      ],
      touches: [`team:${id}`],
      events: [
        {
          type: "team.created",
          objectId: id,
          teamId: id,
          after: { ...teamFields(row), members_with_roles: members },
        },
      ],
    });
    return { ...teamFields(row), members_with_roles: members };
  },
});

const list = operation({
  id: "team.list",
  section: "Teams",
  summary: "List teams",
  notes:
    "By alias, in pages; `x-total-count` tells how many there are. Whoever is not allowed to see every team sees the own ones.",
  http: [{ method: "GET", path: "/team/list" }],
  permission: { resource: "team", action: "read" },
  event: null,
  input: z.object({
    ...ORG,
    ...PAGE,
    user_id: reference.optional().describe("Teams of this user"),
  }),
  output: z.array(teamShape),
  example: { input: {}, output: [TEAM_ROW] },
  errors: [],
  target: visible,
  async run(ctx, input) {
    const { db } = ctx.deps;
    const { userId, teamId } = ctx.principal;
    const total = (count: number) => {
      ctx.headers["x-total-count"] = String(count);
    };
    if (ctx.mayAll("team", "read")) {
      const found = await listTeams(db, ctx.orgId, { ...input, userId: input.user_id });
      total(found.total);
      return found.rows.map((row) => teamFields(row));
    }
    if (userId !== undefined) {
      const found = await listTeams(db, ctx.orgId, { ...input, userId });
      if (found.total > 0 || teamId === undefined) {
        total(found.total);
        return found.rows.map((row) => teamFields(row));
      }
    }
    const own = teamId === undefined ? null : await findTeam(db, ctx.orgId, teamId);
    total(own ? 1 : 0);
    return own ? [teamFields(own)] : [];
  },
});

const info = operation({
  id: "team.info",
  section: "Teams",
  summary: "Show a team, its members and keys",
  notes: "At most 100 keys are shown, and of those the ones that the caller may see.",
  http: [{ method: "GET", path: "/team/info" }],
  permission: { resource: "team", action: "read" },
  event: null,
  input: z.object({ ...ORG, team_id: reference.describe("Id or alias of the team") }),
  output: z.object({
    team_id: z.string(),
    team_info: teamShape.extend({ spend: z.number(), ...standingShape }),
    keys: z.array(keyShape),
    team_memberships: z.array(membershipShape.extend({ spend: z.number() })),
  }),
  example: {
    input: { team_id: "search" },
    output: {
      team_id: TEAM_ROW.team_id,
      team_info: { ...TEAM_ROW, members_with_roles: [], spend: 12.345, ...STANDING },
      keys: [KEY_ROW],
      team_memberships: [{ ...MEMBERSHIP, spend: 3.21 }],
    },
  },
  errors: ["not_found"],
  missing: { what: "team", param: "team_id" },
  async target(ctx, input) {
    const { db } = ctx.deps;
    const row = await findTeam(db, ctx.orgId, input.team_id);
    if (row === null || !(await seesTeam(ctx, db, row))) return null;
    const { teamId, userId } = ctx.nearest;
    // A member sees the team as the user of it, whatever team the key itself belongs to.
    const member = teamId !== row.id && !ctx.mayAll("team", "read");
    return {
      subject: { orgId: ctx.orgId, teamId: row.id, userId: member ? userId : undefined },
      object: row,
    };
  },
  async run(ctx, _, row) {
    const { db } = ctx.deps;
    const [members, keys, spend, standing] = await Promise.all([
      listTeamMembers(db, ctx.orgId, row.id),
      listKeys(db, ctx.orgId, { teamId: row.id, page_size: 100 }),
      teamSpend(ctx, row.id),
      standingOf(ctx, { kind: "team", id: row.id }, row.id),
    ]);
    const spent = await memberSpend(
      ctx,
      row.id,
      members.map((each) => each.userId),
    );
    const shown = keys.rows.filter((key) =>
      ctx.may("key", "read", {
        orgId: ctx.orgId,
        teamId: row.id,
        userId: key.userId ?? `key:${key.id}`,
      }),
    );
    return {
      team_id: row.id,
      team_info: { ...teamFields(row, members), spend: usdNumber(spend), ...standing },
      keys: shown.map(keyFields),
      team_memberships: members.map((each) => ({
        ...membershipFields(each),
        spend: usdNumber(spent.get(each.userId) ?? 0),
      })),
    };
  },
});

export const TEAMS = [create, list, info];
