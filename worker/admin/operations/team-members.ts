import * as z from "zod";
import { nanoUsd } from "../../core/money.ts";
import {
  deleteTeamMembers,
  findTeamMember,
  insertTeamMember,
  listTeamMembers,
  updateTeamMember,
  type TeamMemberPatch,
  type TeamMemberRow,
  type TeamRow,
} from "../../store/teams.ts";
import { findUser, type UserRow } from "../../store/users.ts";
import type { AdminContext } from "../context.ts";
import { TEAM_ROW, USER_ROW } from "../examples.ts";
import { count, dollars, ORG, reference } from "../fields.ts";
import { notFound, operation } from "../operation.ts";
import { revokeKeys } from "../revoked-keys.ts";
import { teamFields, teamShape, userFields, userShape } from "../rows.ts";
import { member, membersOf } from "./teams.ts";
import { fieldsOf } from "./key-changes.ts";
import { MEMBERSHIP, membershipFields, membershipShape } from "../membership.ts";
import { teamTarget } from "./team-changes.ts";

const TEAM = reference.describe("Id or alias of the team");
const MISSING = { what: "team", param: "team_id" };

const add = operation({
  id: "team.member_add",
  section: "Teams",
  summary: "Add members to a team",
  notes:
    "One member or a list of them, users of the organization. The role admin makes its holder this team's admin, with keys of this team.",
  http: [{ method: "POST", path: "/team/member_add" }],
  permission: { resource: "member", action: "create" },
  event: "team.member_added",
  input: z.object({
    ...ORG,
    team_id: TEAM,
    member: z.union([
      member,
      z.array(member).min(1, "Must not be empty").max(50, "At most 50 members"),
    ]),
    max_budget_in_team: dollars.nullish(),
  }),
  output: teamShape.extend({
    updated_users: z.array(userShape),
    updated_team_memberships: z.array(membershipShape),
  }),
  example: {
    input: {
      team_id: "search",
      member: { user_id: "ada", role: "user" },
      max_budget_in_team: 20,
    },
    output: {
      ...TEAM_ROW,
      members_with_roles: [{ user_id: "ada", role: "user" }],
      updated_users: [USER_ROW],
      updated_team_memberships: [MEMBERSHIP],
    },
  },
  errors: ["conflict", "not_found"],
  missing: MISSING,
  target: (ctx, input) => teamTarget(ctx, input.team_id),
  async run(ctx, input, row) {
    const { db } = ctx.deps;
    const added = await membersOf(ctx, [input.member].flat(), "member");
    const limit = input.max_budget_in_team;
    const rows = added.map((each): TeamMemberRow => ({
      orgId: ctx.orgId,
      teamId: row.id,
      userId: each.user_id,
      role: each.role,
      maxBudgetNano: limit == null ? null : nanoUsd(limit),
      tpmLimit: null,
      rpmLimit: null,
      createdAt: ctx.now,
    }));
    await ctx.commit({
      statements: rows.map((each) => insertTeamMember(ctx.orgId, each)),
      touches: rows.map((each) => `user:${each.userId}`),
      events: rows.map((each) => ({
        type: "team.member_added",
        objectId: row.id,
        teamId: row.id,
        after: membershipFields(each),
        data: { user_id: each.userId, role: each.role },
      })),
    });
    const [members, users] = await Promise.all([
      listTeamMembers(db, ctx.orgId, row.id),
      Promise.all(rows.map((each) => findUser(db, ctx.orgId, each.userId))),
    ]);
    return {
      ...teamFields(row, members),
      updated_users: users.flatMap((user) => (user === null ? [] : [userFields(user)])),
      updated_team_memberships: rows.map(membershipFields),
    };
  },
});

const who = {
  user_id: reference.nullish(),
  user_email: reference.nullish(),
};

interface Member {
  team: TeamRow;
  user: UserRow;
  row: TeamMemberRow;
}

/** The member that is named; whoever may not see the team learns nothing about its members. */
async function memberTarget(
  ctx: AdminContext,
  input: { team_id: string; user_id?: string | null; user_email?: string | null },
) {
  const found = await teamTarget(ctx, input.team_id);
  if (found === null) return null;
  const { subject, object: team } = found;
  if (!ctx.may("member", "read", subject)) return null;
  return { subject, object: { team, named: input.user_id ?? input.user_email ?? "" } };
}

async function memberOf(
  ctx: AdminContext,
  { team, named }: { team: TeamRow; named: string },
): Promise<Member> {
  const { db } = ctx.deps;
  const user = await findUser(db, ctx.orgId, named);
  const row = user && (await findTeamMember(db, ctx.orgId, team.id, user.id));
  if (!user || !row) throw notFound("member", "user_id");
  return { team, user, row };
}

const update = operation({
  id: "team.member_update",
  section: "Teams",
  summary: "Change a member's role or limits in a team",
  http: [{ method: "POST", path: "/team/member_update" }],
  permission: { resource: "member", action: "write" },
  event: "team.member_updated",
  input: z.object({
    ...ORG,
    team_id: TEAM,
    ...who,
    role: z.enum(["admin", "user"]).nullish(),
    max_budget_in_team: dollars.nullish(),
    tpm_limit: count.nullish(),
    rpm_limit: count.nullish(),
  }),
  output: membershipShape.extend({ user_email: z.string().nullable() }),
  example: {
    input: { team_id: "search", user_id: "ada", max_budget_in_team: 20 },
    output: { ...MEMBERSHIP, user_email: USER_ROW.user_email },
  },
  errors: ["not_found"],
  missing: MISSING,
  target: memberTarget,
  async run(ctx, input, named) {
    const { team, user, row } = await memberOf(ctx, named);
    const { max_budget_in_team: budget, tpm_limit: tpm, rpm_limit: rpm } = input;
    const patch: TeamMemberPatch = {
      role: input.role ?? row.role,
      maxBudgetNano:
        budget === undefined ? row.maxBudgetNano : budget === null ? null : nanoUsd(budget),
      tpmLimit: tpm === undefined ? row.tpmLimit : tpm,
      rpmLimit: rpm === undefined ? row.rpmLimit : rpm,
    };
    await ctx.commit({
      statements: [updateTeamMember(ctx.orgId, team.id, user.id, patch)],
      touches: [`user:${user.id}`],
      events: [
        {
          type: "team.member_updated",
          objectId: team.id,
          teamId: team.id,
          before: membershipFields(row),
          after: membershipFields({ ...row, ...patch }),
          data: {
            user_id: user.id,
            role: patch.role ?? row.role,
            fields: fieldsOf(input, ["team_id", "user_id", "user_email", "organization_id"]),
          },
        },
      ],
    });
    return { ...membershipFields({ ...row, ...patch }), user_email: user.email };
  },
});

const remove = operation({
  id: "team.member_delete",
  section: "Teams",
  summary: "Take a member out of a team",
  notes: "The member's keys of this team die, everywhere within 5 s; other keys stay.",
  http: [{ method: "POST", path: "/team/member_delete" }],
  permission: { resource: "member", action: "delete" },
  event: "team.member_removed",
  input: z.object({ ...ORG, team_id: TEAM, ...who }),
  output: teamShape.extend({ deleted_keys: z.number() }),
  example: {
    input: { team_id: "search", user_id: "ada" },
    output: { ...TEAM_ROW, members_with_roles: [], deleted_keys: 1 },
  },
  errors: ["not_found"],
  missing: MISSING,
  target: memberTarget,
  async run(ctx, _, named) {
    const { team, user, row } = await memberOf(ctx, named);
    const of = { teamIds: [team.id], userIds: [user.id] };
    const revoked = await revokeKeys(ctx, of);
    await ctx.commit({
      statements: [deleteTeamMembers(ctx.orgId, of), revoked.statement],
      touches: [`user:${user.id}`],
      events: [
        {
          type: "team.member_removed",
          objectId: team.id,
          teamId: team.id,
          before: membershipFields(row),
          data: { user_id: user.id, keys_revoked: revoked.count },
        },
        ...revoked.events,
      ],
    });
    const members = await listTeamMembers(ctx.deps.db, ctx.orgId, team.id);
    return { ...teamFields(team, members), deleted_keys: revoked.count };
  },
});

export const TEAM_MEMBERS = [add, update, remove];
