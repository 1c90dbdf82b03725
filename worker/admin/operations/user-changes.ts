import * as z from "zod";
import { GatewayError } from "../../core/errors.ts";
import type { Role } from "../../core/principal.ts";
import { roleWithin } from "../../policy/authz/roles.ts";
import { deleteTeamMembers } from "../../store/teams.ts";
import {
  deleteUsers,
  findUser,
  updateUser,
  type UserPatch,
  type UserRow,
} from "../../store/users.ts";
import type { ChangeEvent } from "../change-record.ts";
import type { AdminContext, Commit } from "../context.ts";
import { USER_ROW } from "../examples.ts";
import {
  alias,
  email,
  ATTACHED_LIMITS,
  metadata,
  models,
  ORG,
  reference,
  roleOf,
  ROLE_NAMES,
} from "../fields.ts";
import { operation } from "../operation.ts";
import { revokeKeys } from "../revoked-keys.ts";
import { changed, limitPatch, userFields, userShape } from "../rows.ts";
import { fieldsOf } from "./key-changes.ts";

/** Nobody gives or takes a role above the own one, nor touches the account of who has one. */
export function requireRole(ctx: AdminContext, role: Role, param: string): void {
  if (roleWithin(role, ctx.principal.role)) return;
  throw new GatewayError("forbidden", `${param}: that is above your own role.`, { param });
}

/** The change that ends users: their keys and memberships with them, in one transaction. */
export async function endUsers(
  ctx: AdminContext,
  rows: readonly UserRow[],
  type: ChangeEvent["type"],
): Promise<Commit & { keys: number }> {
  for (const row of rows) requireRole(ctx, row.role, "user_id");
  const userIds = rows.map((row) => row.id);
  const revoked = await revokeKeys(ctx, { userIds });
  return {
    keys: revoked.count,
    statements: [
      deleteUsers(ctx.orgId, userIds),
      deleteTeamMembers(ctx.orgId, { userIds }),
      revoked.statement,
    ],
    touches: userIds.map((id) => `user:${id}`),
    events: [
      ...rows.map((row) => ({
        type,
        objectId: row.id,
        before: userFields(row),
        data: { keys_revoked: revoked.count },
      })),
      ...revoked.events,
    ],
  };
}

/** The columns that a change of a user sets, and its events. */
export function userChange(
  ctx: AdminContext,
  row: UserRow,
  patch: UserPatch,
  event: ChangeEvent,
): Pick<Commit, "statements" | "touches" | "events"> {
  requireRole(ctx, row.role, "user_id");
  const role = patch.role ?? row.role;
  requireRole(ctx, role, "user_role");
  const shown = {
    before: userFields(row),
    after: userFields({ ...row, ...(patch as Partial<UserRow>) }),
  };
  const events: ChangeEvent[] = [{ ...event, ...shown }];
  if (role !== row.role && event.type !== "role.changed") {
    events.push({
      type: "role.changed",
      objectId: row.id,
      before: { user_role: row.role },
      after: { user_role: role },
      data: { from: row.role, to: role },
    });
  }
  return {
    statements: [updateUser(ctx.orgId, row.id, { ...patch, ...changed(ctx.actor, ctx.now) })],
    touches: [`user:${row.id}`],
    events,
  };
}

const update = operation({
  id: "user.update",
  section: "Users",
  summary: "Change a user",
  notes:
    "Named by user_id or by user_email; with both, user_email is the new address. Absent fields stay, null clears one. A role that is lowered counts everywhere within 5 s.",
  http: [{ method: "POST", path: "/user/update" }],
  permission: { resource: "user", action: "write" },
  event: "user.updated",
  input: z.object({
    ...ORG,
    user_id: reference.nullish(),
    user_email: email.nullish(),
    user_alias: alias.nullish(),
    user_role: z.enum(ROLE_NAMES).nullish(),
    models: models.nullish(),
    metadata: metadata.nullish(),
    ...ATTACHED_LIMITS,
  }),
  output: userShape.extend({ data: userShape.describe("The same row") }),
  example: {
    input: { user_id: "ada", user_role: "finance" },
    output: {
      ...USER_ROW,
      user_role: "finance",
      data: { ...USER_ROW, user_role: "finance" },
    },
  },
  errors: ["conflict", "not_found"],
  missing: { what: "user", param: "user_id" },
  async target(ctx, input) {
    const name = input.user_id ?? input.user_email;
    if (name == null) {
      throw new GatewayError("invalid_request", "user_id: name the user to change.", {
        param: "user_id",
      });
    }
    const row = await findUser(ctx.deps.db, ctx.orgId, name);
    return row && { subject: { orgId: ctx.orgId, userId: row.id }, object: row };
  },
  async run(ctx, input, row) {
    const patch: UserPatch = limitPatch(input);
    if (input.user_id != null && input.user_email !== undefined) {
      patch.email = input.user_email?.toLowerCase() ?? null;
    }
    if (input.user_alias !== undefined) patch.alias = input.user_alias;
    if (input.user_role != null) patch.role = roleOf(input.user_role);
    if (input.models !== undefined) patch.models = input.models ?? [];
    if (input.metadata !== undefined) patch.metadata = input.metadata ?? {};
    await ctx.commit(
      userChange(ctx, row, patch, {
        type: "user.updated",
        objectId: row.id,
        data: { fields: fieldsOf(input, ["user_id", "organization_id"]) },
      }),
    );
    const shown = userFields({
      ...row,
      ...(patch as Partial<UserRow>),
      ...changed(ctx.actor, ctx.now),
    });
    return { ...shown, data: shown };
  },
});

const remove = operation({
  id: "user.delete",
  section: "Users",
  summary: "Delete users and their keys",
  notes:
    "All of them or, where one is missing, none. Their keys die with them, everywhere within 5 s; what they spent stays on record.",
  http: [
    { method: "POST", path: "/user/delete" },
    { method: "DELETE", path: "/user/delete" },
  ],
  permission: { resource: "user", action: "delete" },
  event: "user.deleted",
  input: z.object({
    ...ORG,
    user_ids: z.array(reference).min(1, "Must not be empty").max(100, "At most 100 users"),
  }),
  output: z.object({ deleted_users: z.array(z.string()), deleted_keys: z.number() }),
  example: {
    input: { user_ids: ["ada"] },
    output: { deleted_users: ["ada"], deleted_keys: 2 },
  },
  errors: ["not_found"],
  missing: { what: "user", param: "user_ids" },
  async target(ctx, input) {
    const rows = new Map<string, UserRow>();
    for (const name of input.user_ids) {
      const row = await findUser(ctx.deps.db, ctx.orgId, name);
      if (row === null) return null;
      rows.set(row.id, row);
    }
    const all = [...rows.values()];
    return { subject: all.map((row) => ({ orgId: ctx.orgId, userId: row.id })), object: all };
  },
  async run(ctx, _, rows) {
    const { keys, ...commit } = await endUsers(ctx, rows, "user.deleted");
    await ctx.commit(commit);
    return { deleted_users: rows.map((row) => row.id), deleted_keys: keys };
  },
});

export const CHANGED_USERS = [update, remove];
