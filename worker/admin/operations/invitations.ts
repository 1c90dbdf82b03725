import * as z from "zod";
import { GatewayError } from "../../core/errors.ts";
import type { Role } from "../../core/principal.ts";
import {
  findInvitation,
  insertInvitation,
  stateOf,
  withdrawInvitation,
  withdrawInvitationsOf,
  type InvitationRow,
} from "../../store/invitations.ts";
import { findTeam } from "../../store/teams.ts";
import { findUser } from "../../store/users.ts";
import type { AdminContext } from "../context.ts";
import { INVITATION_ROW } from "../examples.ts";
import { email, ORG, reference, roleOf, ROLE_NAMES } from "../fields.ts";
import { inOrg, notFound, operation } from "../operation.ts";
import { changed, instantText, made, provenanceFields, provenanceShape } from "../rows.ts";
import { requireRole } from "./user-changes.ts";

const LIFE_MS = 7 * 24 * 60 * 60 * 1000;
const MISSING = { what: "invitation", param: "invitation_id" };

/** Organization roles that mean to lead, where a role in a team is given. */
export const LEADS: ReadonlySet<Role> = new Set(["platform_admin", "admin", "team_admin"]);

const invitationShape = z.object({
  id: z.string(),
  invitation_id: z.string().describe("The same id"),
  user_email: z.string(),
  user_role: z.string().describe("In the organization"),
  team_id: z.string().nullable(),
  team_role: z.enum(["admin", "user"]).nullable(),
  status: z.enum(["open", "accepted", "withdrawn", "expired"]),
  is_accepted: z.boolean(),
  accepted_at: z.string().nullable(),
  expires_at: z.string(),
  user_id: z.string().nullable().describe("The user that it made"),
  ...provenanceShape,
});

export function invitationFields(row: InvitationRow, now: number): z.input<typeof invitationShape> {
  return {
    id: row.id,
    invitation_id: row.id,
    user_email: row.email,
    user_role: row.role,
    team_id: row.teamId,
    team_role: row.teamRole,
    status: stateOf(row, now),
    is_accepted: row.acceptedAt !== null,
    accepted_at: row.acceptedAt === null ? null : instantText(row.acceptedAt),
    expires_at: instantText(row.expiresAt),
    user_id: row.userId,
    ...provenanceFields(row),
  };
}

const create = operation({
  id: "invitation.new",
  section: "Users",
  summary: "Invite somebody to become a user",
  notes:
    "The link is in this answer and nowhere else, works once, and ends after 7 days; hand it over yourself, no mail is sent. Whoever opens it becomes a user and gets a first key. A further invitation of the same address takes the place of an open one. With team_id the role counts in that team: an admin role leads it.",
  http: [{ method: "POST", path: "/invitation/new" }],
  permission: { resource: "user", action: "create" },
  event: "invitation.created",
  input: z.object({
    ...ORG,
    user_email: email,
    user_role: z.enum(ROLE_NAMES).default("internal_user"),
    team_id: reference.nullish().describe("Id or alias of the team to become a member of"),
  }),
  output: invitationShape.extend({
    token: z.string().describe("Shown once; POST /invitation/claim takes it"),
    invitation_link: z.string().describe("The same as a page to open"),
  }),
  example: {
    input: { user_email: "ada@example.com", user_role: "internal_user", team_id: "search" },
    output: {
      ...INVITATION_ROW,
      token: "rt-invite-…",
      invitation_link: "https://gateway.example.com/invitation#rt-invite-g4Zk1x9QmT7ab-…",
    },
  },
  errors: ["conflict", "not_found"],
  target: inOrg,
  async run(ctx, input) {
    const { db, invitationTokens } = ctx.deps;
    const named = roleOf(input.user_role);
    requireRole(ctx, named, "user_role");
    const address = input.user_email.toLowerCase();
    const team = input.team_id == null ? null : await findTeam(db, ctx.orgId, input.team_id);
    if (input.team_id != null && team === null) throw notFound("team", "team_id");
    const known = await findUser(db, ctx.orgId, address);
    if (known?.email === address) {
      throw new GatewayError("conflict", "This user_email is taken already.", {
        param: "user_email",
      });
    }
    const leads = team !== null && LEADS.has(named);
    const { id, token, hash } = invitationTokens.mint(ctx.orgId);
    const row: InvitationRow = {
      orgId: ctx.orgId,
      id,
      tokenHash: hash,
      email: address,
      role: leads ? "developer" : named,
      teamId: team?.id ?? null,
      teamRole: team === null ? null : leads ? "admin" : "user",
      expiresAt: ctx.now + LIFE_MS,
      withdrawnAt: null,
      acceptedAt: null,
      userId: null,
      ...made(ctx.actor, ctx.now),
    };
    const after = invitationFields(row, ctx.now);
    await ctx.commit({
      statements: [
        withdrawInvitationsOf(ctx.orgId, address, { by: ctx.actor, at: ctx.now }),
        insertInvitation(ctx.orgId, row),
      ],
      touches: [],
      events: [{ type: "invitation.created", objectId: id, teamId: team?.id, after }],
    });
    return { ...after, token, invitation_link: `${ctx.origin}/invitation#${token}` };
  },
});

async function named(
  ctx: AdminContext,
  input: { invitation_id?: string | null; id?: string | null },
) {
  const id = input.invitation_id ?? input.id;
  if (id == null) {
    throw new GatewayError("invalid_request", "invitation_id: name the invitation.", {
      param: "invitation_id",
    });
  }
  const row = await findInvitation(ctx.deps.db, ctx.orgId, id);
  return row && { ...inOrg(ctx), object: row };
}

const remove = operation({
  id: "invitation.delete",
  section: "Users",
  summary: "Withdraw an invitation",
  notes:
    "Its link works no more, at once. One that was accepted stays what it is: see /user/delete.",
  http: [{ method: "POST", path: "/invitation/delete" }],
  permission: { resource: "user", action: "delete" },
  event: "invitation.deleted",
  input: z.object({
    ...ORG,
    invitation_id: reference.nullish(),
    id: reference.nullish().describe("The same"),
  }),
  output: invitationShape,
  example: {
    input: { invitation_id: INVITATION_ROW.id },
    output: { ...INVITATION_ROW, status: "withdrawn" },
  },
  errors: ["conflict", "invalid_request", "not_found"],
  missing: MISSING,
  target: named,
  async run(ctx, _, row) {
    if (row.acceptedAt !== null) {
      throw new GatewayError("conflict", "invitation_id: this invitation was accepted.", {
        param: "invitation_id",
      });
    }
    const mark = { by: ctx.actor, at: ctx.now };
    const withdrawn: InvitationRow = {
      ...row,
      withdrawnAt: row.withdrawnAt ?? ctx.now,
      ...changed(ctx.actor, ctx.now),
    };
    const before = invitationFields(row, ctx.now);
    await ctx.commit({
      statements: [withdrawInvitation(ctx.orgId, row.id, mark)],
      touches: [],
      events: [
        { type: "invitation.deleted", objectId: row.id, teamId: row.teamId ?? undefined, before },
      ],
    });
    return invitationFields(withdrawn, ctx.now);
  },
});

const info = operation({
  id: "invitation.info",
  section: "Users",
  summary: "Show what became of an invitation",
  http: [{ method: "GET", path: "/invitation/info" }],
  permission: { resource: "user", action: "read" },
  event: null,
  input: z.object({
    ...ORG,
    invitation_id: reference.optional(),
    id: reference.optional().describe("The same"),
  }),
  output: invitationShape,
  example: { input: { invitation_id: INVITATION_ROW.id }, output: INVITATION_ROW },
  errors: ["invalid_request", "not_found"],
  missing: MISSING,
  target: named,
  run: async (ctx, _, row) => invitationFields(row, ctx.now),
});

export const INVITATIONS = [create, remove, info];
