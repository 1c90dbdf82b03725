import * as z from "zod";
import { GatewayError } from "../../core/errors.ts";
import { shownOrgId } from "../../core/ids.ts";
import { nanoUsd, usdNumber } from "../../core/money.ts";
import { findOrg } from "../../store/orgs.ts";
import { findTeam, findTeamMember, updateTeamMember } from "../../store/teams.ts";
import { findUser, insertUser, personOf, type UserPatch, type UserRow } from "../../store/users.ts";
import type { AdminContext } from "../context.ts";
import { USER_ROW } from "../examples.ts";
import { chosenId, dollars, email, ORG, reference, roleOf, ROLE_NAMES } from "../fields.ts";
import { inOrg, notFound, operation } from "../operation.ts";
import { limitColumns, made, userFields, userShape } from "../rows.ts";
import { LEADS } from "./invitations.ts";
import { fieldsOf } from "./key-changes.ts";
import { endUsers, requireRole, userChange } from "./user-changes.ts";

const ROLES = z.enum(ROLE_NAMES);
const MISSING = { what: "member", param: "user_id" };

const member = z
  .object({
    user_id: chosenId.optional(),
    user_email: email.optional(),
    role: ROLES.default("internal_user"),
    from_organization_id: reference
      .nullish()
      .describe(
        "The organization whose user this is; for the platform admin, who thereby makes both one person",
      ),
  })
  .refine((each) => each.user_id !== undefined || each.user_email !== undefined, {
    error: "Needs a user_id or a user_email",
  });

const membershipShape = z.object({
  user_id: z.string(),
  organization_id: z.string(),
  user_role: z.string(),
  max_budget_in_organization: z.number().nullable(),
});

function membershipFields(row: UserRow): z.input<typeof membershipShape> {
  return {
    user_id: row.id,
    organization_id: shownOrgId(row.orgId),
    user_role: row.role,
    max_budget_in_organization: row.maxBudgetNano === null ? null : usdNumber(row.maxBudgetNano),
  };
}

const MEMBERSHIP = {
  user_id: "ada",
  organization_id: USER_ROW.organization_id,
  user_role: "developer",
  max_budget_in_organization: 50,
};

/** The user of another organization that is let into this one. */
async function fromElsewhere(
  ctx: AdminContext,
  wish: z.output<typeof member>,
): Promise<UserRow | null> {
  if (wish.from_organization_id == null) return null;
  ctx.require("platform", "write", { orgId: ctx.orgId });
  const { db } = ctx.deps;
  const org = await findOrg(db, wish.from_organization_id);
  const user = org && (await findUser(db, org.id, wish.user_id ?? wish.user_email ?? ""));
  if (!user) throw notFound("user", "member.from_organization_id");
  return user;
}

async function newMember(
  ctx: AdminContext,
  wish: z.output<typeof member>,
  budget: number | null | undefined,
): Promise<UserRow> {
  const role = roleOf(wish.role);
  requireRole(ctx, role, "member.role");
  const known = await fromElsewhere(ctx, wish);
  return {
    orgId: ctx.orgId,
    id: wish.user_id ?? known?.id ?? crypto.randomUUID(),
    email: wish.user_email?.toLowerCase() ?? known?.email ?? null,
    alias: known?.alias ?? null,
    role,
    active: true,
    personId: known && personOf(known),
    activeOrgId: null,
    models: [],
    metadata: {},
    budgetResetAt: null,
    ...limitColumns({ max_budget: budget }),
    ...made(ctx.actor, ctx.now),
  };
}

const add = operation({
  id: "organization.member_add",
  section: "Organizations",
  summary: "Add members to an organization",
  notes:
    "Every member is a user of this organization, with a role here; no key is made. With from_organization_id the platform admin lets a person in who is a user of another one: keys that the platform made for that person then act in both, where X-Organization-Id or /user/switch_org says.",
  http: [{ method: "POST", path: "/organization/member_add" }],
  permission: { resource: "user", action: "create" },
  event: "organization.member_added",
  input: z.object({
    ...ORG,
    member: z.union([
      member,
      z.array(member).min(1, "Must not be empty").max(50, "At most 50 members"),
    ]),
    max_budget_in_organization: dollars.nullish(),
  }),
  output: z.object({
    organization_id: z.string(),
    updated_users: z.array(userShape),
    updated_organization_memberships: z.array(membershipShape),
  }),
  example: {
    input: {
      member: [{ user_id: "ada", role: "internal_user" }],
      max_budget_in_organization: 50,
    },
    output: {
      organization_id: USER_ROW.organization_id,
      updated_users: [USER_ROW],
      updated_organization_memberships: [MEMBERSHIP],
    },
  },
  errors: ["conflict", "not_found"],
  target: inOrg,
  async run(ctx, input) {
    const rows: UserRow[] = [];
    for (const wish of [input.member].flat()) {
      rows.push(await newMember(ctx, wish, input.max_budget_in_organization));
    }
    await ctx.commit({
      statements: rows.map((row) => insertUser(ctx.orgId, row)),
      touches: rows.map((row) => `user:${row.id}`),
      events: rows.map((row) => ({
        type: "organization.member_added",
        objectId: row.id,
        after: userFields(row),
        data: { user_role: row.role, person: row.personId !== null },
      })),
    });
    return {
      organization_id: shownOrgId(ctx.orgId),
      updated_users: rows.map(userFields),
      updated_organization_memberships: rows.map(membershipFields),
    };
  },
});

const who = { user_id: reference.nullish(), user_email: reference.nullish() };

async function memberTarget(
  ctx: AdminContext,
  input: { user_id?: string | null; user_email?: string | null },
) {
  const name = input.user_id ?? input.user_email;
  if (name == null) {
    throw new GatewayError("invalid_request", "user_id: name the member.", { param: "user_id" });
  }
  const row = await findUser(ctx.deps.db, ctx.orgId, name);
  return row && { subject: { orgId: ctx.orgId, userId: row.id }, object: row };
}

const update = operation({
  id: "organization.member_update",
  section: "Organizations",
  summary: "Change a member's role or budget in an organization",
  http: [{ method: "PATCH", path: "/organization/member_update" }],
  permission: { resource: "user", action: "write" },
  event: "organization.member_updated",
  input: z.object({
    ...ORG,
    ...who,
    role: ROLES.nullish(),
    max_budget_in_organization: dollars.nullish(),
  }),
  output: membershipShape,
  example: {
    input: { user_id: "ada", role: "internal_user", max_budget_in_organization: 50 },
    output: MEMBERSHIP,
  },
  errors: ["invalid_request", "not_found"],
  missing: MISSING,
  target: memberTarget,
  async run(ctx, input, row) {
    const budget = input.max_budget_in_organization;
    const patch: UserPatch = {};
    if (input.role != null) patch.role = roleOf(input.role);
    if (budget !== undefined) patch.maxBudgetNano = budget === null ? null : nanoUsd(budget);
    await ctx.commit(
      userChange(ctx, row, patch, {
        type: "organization.member_updated",
        objectId: row.id,
        data: { fields: fieldsOf(input, ["user_id", "user_email", "organization_id"]) },
      }),
    );
    return membershipFields({ ...row, ...(patch as Partial<UserRow>) });
  },
});

const remove = operation({
  id: "organization.member_delete",
  section: "Organizations",
  summary: "Take a member out of an organization",
  notes:
    "The member's keys of this organization die, everywhere within 5 s; what the person is elsewhere stays.",
  http: [{ method: "DELETE", path: "/organization/member_delete" }],
  permission: { resource: "user", action: "delete" },
  event: "organization.member_removed",
  input: z.object({ ...ORG, ...who }),
  output: membershipShape.extend({ deleted_keys: z.number() }),
  example: { input: { user_id: "ada" }, output: { ...MEMBERSHIP, deleted_keys: 2 } },
  errors: ["invalid_request", "not_found"],
  missing: MISSING,
  target: memberTarget,
  async run(ctx, _, row) {
    const { keys, ...commit } = await endUsers(ctx, [row], "organization.member_removed");
    await ctx.commit(commit);
    return { ...membershipFields(row), deleted_keys: keys };
  },
});

const permission = operation({
  id: "organization.member_permission_update",
  section: "Organizations",
  summary: "Give a member another role, in the organization or in one team",
  notes:
    "With team_id the role counts in that team: an admin role leads it, any other is a member's.",
  http: [{ method: "POST", path: "/organization/member_permission_update" }],
  permission: { resource: "user", action: "write" },
  event: "role.changed",
  input: z.object({
    ...ORG,
    ...who,
    user_role: ROLES,
    team_id: reference.nullish().describe("Id or alias of the team"),
  }),
  output: z.object({
    user_id: z.string(),
    user_email: z.string().nullable(),
    user_role: z.string(),
    team_id: z.string().nullable(),
  }),
  example: {
    input: { user_email: "ada@example.com", user_role: "internal_user" },
    output: {
      user_id: "ada",
      user_email: "ada@example.com",
      user_role: "developer",
      team_id: null,
    },
  },
  errors: ["invalid_request", "not_found"],
  missing: MISSING,
  target: memberTarget,
  async run(ctx, input, row) {
    const role = roleOf(input.user_role);
    const shown = { user_id: row.id, user_email: row.email };
    if (input.team_id == null) {
      const data = { from: row.role, to: role };
      const event = { type: "role.changed" as const, objectId: row.id, data };
      await ctx.commit(userChange(ctx, row, { role }, event));
      return { ...shown, user_role: role, team_id: null };
    }
    const { db } = ctx.deps;
    const team = await findTeam(db, ctx.orgId, input.team_id);
    if (team === null) throw notFound("team", "team_id");
    const place = await findTeamMember(db, ctx.orgId, team.id, row.id);
    if (place === null) throw notFound("member", "user_id");
    const to = LEADS.has(role) ? "admin" : "user";
    await ctx.commit({
      statements: [updateTeamMember(ctx.orgId, team.id, row.id, { role: to })],
      touches: [`user:${row.id}`],
      events: [
        {
          type: "role.changed",
          objectId: row.id,
          teamId: team.id,
          before: { team_id: team.id, role: place.role },
          after: { team_id: team.id, role: to },
          data: { from: place.role, to },
        },
      ],
    });
    return { ...shown, user_role: to, team_id: team.id };
  },
});

export const ORGANIZATION_MEMBERS = [add, update, remove, permission];
