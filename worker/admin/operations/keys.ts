import * as z from "zod";
import { GatewayError } from "../../core/errors.ts";
import { usdNumber } from "../../core/money.ts";
import type { Subject } from "../../core/principal.ts";
import { findKey, listKeys, type KeyRow } from "../../store/keys.ts";
import { findTeam, findTeamMember, type TeamRow } from "../../store/teams.ts";
import { findUser, type UserRow } from "../../store/users.ts";
import type { AdminContext } from "../context.ts";
import { KEY_ROW, PAGE_ROW } from "../examples.ts";
import { ORG, reference, SIZED_PAGE } from "../fields.ts";
import { KEY_FIELDS, newKey } from "../new-key.ts";
import { notFound, operation, visible } from "../operation.ts";
import { keySpend, STANDING, standingOf, standingShape } from "../spend.ts";
import { keyFields, keyShape, pageShape } from "../rows.ts";
import { seesTeam } from "./teams.ts";

const HANDLE = KEY_ROW.token;

/** Whom a key belongs to, as decisions look at it. */
export function ownerOf(row: KeyRow): Subject {
  return {
    orgId: row.orgId,
    teamId: row.teamId ?? undefined,
    userId: row.userId ?? `key:${row.id}`,
  };
}

/** The team that is named, or the maker's own for makers that may not act for the whole organization. */
export async function teamFor(
  ctx: AdminContext,
  named: string | null | undefined,
): Promise<TeamRow | null> {
  const { db } = ctx.deps;
  const name = named ?? (ctx.mayAll("key", "create") ? undefined : ctx.principal.teamId);
  if (name === undefined) return null;
  const team = await findTeam(db, ctx.orgId, name);
  if (team === null || !(ctx.mayAll("key", "create") || (await seesTeam(ctx, db, team)))) {
    throw notFound("team", "team_id");
  }
  return team;
}

/** The user that is named, if the maker may act for that user. */
export async function userFor(
  ctx: AdminContext,
  named: string | null | undefined,
  team: TeamRow | null,
): Promise<UserRow | null> {
  const { db } = ctx.deps;
  const { userId } = ctx.principal;
  const all = ctx.mayAll("key", "create");
  // A team admin's key without a user is the team's; anybody else makes keys for himself.
  const teamwide = ctx.may("key", "create", { orgId: ctx.orgId, teamId: team?.id });
  const name = named ?? (all || teamwide ? undefined : userId);
  if (name === undefined) return null;
  const user = await findUser(db, ctx.orgId, name);
  const known =
    user !== null &&
    (all ||
      user.id === userId ||
      (team !== null && (await findTeamMember(db, ctx.orgId, team.id, user.id)) !== null));
  if (!known) throw notFound("user", "user_id");
  return user;
}

const generate = operation({
  id: "key.generate",
  section: "Keys",
  summary: "Make a virtual key",
  notes:
    "The key is in this answer and nowhere else. It is never wider than the key that made it: models, addresses and lifetime that are left open become the maker's. Without a user it carries no rights but to call models and to see itself.",
  http: [{ method: "POST", path: "/key/generate" }],
  permission: { resource: "key", action: "create" },
  event: "key.created",
  input: z.object({
    ...KEY_FIELDS,
    team_id: reference.nullish().describe("Id or alias of the team"),
    user_id: reference.nullish().describe("Whose role the key carries"),
    ...ORG,
    key: z.string().nullish().describe("Not accepted: keys carry a check of their own"),
  }),
  output: keyShape.extend({ key: z.string().describe("The key itself, shown once") }),
  example: {
    input: {
      key_alias: "search-prod",
      team_id: "search",
      models: ["gpt-4o-mini"],
      duration: "90d",
      allowed_ips: ["10.0.0.0/8"],
    },
    output: { key: "sk-rt-g4Zk1x9QmT7ab-…", ...KEY_ROW },
  },
  errors: ["conflict", "not_found"],
  missing: { what: "team", param: "team_id" },
  async target(ctx, input) {
    if (input.key != null) {
      throw new GatewayError("invalid_request", "key: a key of your own choice is not accepted.", {
        param: "key",
      });
    }
    const team = await teamFor(ctx, input.team_id);
    const user = await userFor(ctx, input.user_id, team);
    const subject = { orgId: ctx.orgId, teamId: team?.id, userId: user?.id };
    return { subject, object: { team, user } };
  },
  async run(ctx, input, owner) {
    const { row, token, statement } = await newKey(ctx, input, owner);
    await ctx.commit({
      statements: [statement],
      touches: [`key:${row.id}`],
      events: [
        {
          type: "key.created",
          objectId: row.handle,
          teamId: row.teamId ?? undefined,
          after: keyFields(row),
          data: { key_type: row.keyType, user_id: row.userId },
        },
      ],
    });
    return { key: token, ...keyFields(row) };
  },
});

/** The row that a key, a handle or an alias names; null also for a key of another organization. */
export async function keyNamed(ctx: AdminContext, name: string): Promise<KeyRow | null> {
  const place = ctx.deps.keys.parse(name);
  if (place === null) return findKey(ctx.deps.db, ctx.orgId, name);
  return place.orgId === ctx.orgId ? findKey(ctx.deps.db, ctx.orgId, place.keyId) : null;
}

const info = operation({
  id: "key.info",
  section: "Keys",
  summary: "Show a key and what it spent",
  notes:
    "Without an argument it is the key of the call. The argument is never a credential and is left out of logs.",
  http: [{ method: "GET", path: "/key/info" }],
  permission: { resource: "key", action: "read" },
  event: null,
  input: z.object({
    ...ORG,
    key: reference.optional().describe("The key itself, its handle, or its alias"),
    key_hash: reference.optional().describe("The same"),
  }),
  output: z.object({
    key: z.string(),
    info: keyShape.extend({ spend: z.number(), ...standingShape }),
  }),
  example: {
    input: { key_hash: HANDLE },
    output: { key: HANDLE, info: { ...KEY_ROW, spend: 3.21, ...STANDING } },
  },
  errors: ["not_found"],
  missing: { what: "key", param: "key" },
  async target(ctx, input) {
    const name = input.key ?? input.key_hash ?? ctx.principal.keyId;
    if (name === undefined) {
      throw new GatewayError("invalid_request", "key: name the key to show.", { param: "key" });
    }
    const row = await keyNamed(ctx, name);
    return row && { subject: ownerOf(row), object: row };
  },
  async run(ctx, _, row) {
    const [spend, standing] = await Promise.all([
      keySpend(ctx, row),
      standingOf(ctx, { kind: "key", id: row.id }, row.teamId),
    ]);
    const info = { ...keyFields(row), spend: usdNumber(spend), ...standing };
    return { key: row.handle, info };
  },
});

const list = operation({
  id: "key.list",
  section: "Keys",
  summary: "List keys",
  notes:
    "Handles, or whole rows with return_full_object=true. Whoever may not see every key sees the own team's or the own ones.",
  http: [{ method: "GET", path: "/key/list" }],
  permission: { resource: "key", action: "read" },
  event: null,
  input: z.object({
    ...ORG,
    ...SIZED_PAGE,
    team_id: reference.optional(),
    user_id: reference.optional(),
    key_alias: reference.optional(),
    return_full_object: z.stringbool().default(false),
  }),
  output: z.object({
    keys: z.array(z.union([z.string(), keyShape])),
    total_count: z.number(),
    current_page: z.number(),
    ...pageShape,
  }),
  example: {
    input: { team_id: "search" },
    output: { keys: [HANDLE], total_count: 1, current_page: 1, ...PAGE_ROW },
  },
  errors: [],
  target: visible,
  async run(ctx, input) {
    const { db } = ctx.deps;
    const whole = input.return_full_object;
    const narrowed = reach(ctx);
    if ("keyId" in narrowed) {
      const own = await findKey(db, ctx.orgId, narrowed.keyId);
      const keys = own === null ? [] : [whole ? keyFields(own) : own.handle];
      const place = { page: 1, page_size: 1, total: keys.length, total_pages: keys.length };
      return { keys, total_count: keys.length, current_page: 1, ...place };
    }
    const team = input.team_id === undefined ? null : await findTeam(db, ctx.orgId, input.team_id);
    const found = await listKeys(db, ctx.orgId, {
      page: input.page,
      page_size: input.page_size ?? input.size,
      teamId: input.team_id === undefined ? undefined : (team?.id ?? input.team_id),
      userId: input.user_id,
      alias: input.key_alias,
      ...narrowed,
    });
    const { rows, ...place } = found;
    return {
      keys: rows.map((row) => (whole ? keyFields(row) : row.handle)),
      total_count: place.total,
      current_page: place.page,
      ...place,
    };
  },
});

/** The filter that leaves only keys which the caller may see; a key without a user sees itself. */
export function reach(ctx: AdminContext): { teamId?: string; userId?: string } | { keyId: string } {
  if (ctx.mayAll("key", "read")) return {};
  const { teamId, userId, keyId } = ctx.principal;
  if (teamId !== undefined && ctx.may("key", "read", { orgId: ctx.orgId, teamId }))
    return { teamId };
  return userId === undefined ? { keyId: keyId ?? "" } : { userId };
}

export const KEYS = [generate, info, list];
