import * as z from "zod";
import { usdNumber } from "../../core/money.ts";
import { GatewayError } from "../../core/errors.ts";
import { roleWithin } from "../../policy/authz/roles.ts";
import { listKeys } from "../../store/keys.ts";
import { findOrg } from "../../store/orgs.ts";
import { findTeam, insertTeamMember, listTeams, type TeamRow } from "../../store/teams.ts";
import { findUser, insertUser, listUsers, type UserRow } from "../../store/users.ts";
import type { ChangeEvent } from "../change-record.ts";
import type { AdminContext } from "../context.ts";
import { KEY_ROW, PAGE_ROW, TEAM_ROW, USER_ROW } from "../examples.ts";
import { alias, chosenId, email, ORG, PAGE, reference, roleOf, ROLE_NAMES } from "../fields.ts";
import { KEY_FIELDS, newKey } from "../new-key.ts";
import { inOrg, notFound, operation, visible } from "../operation.ts";
import {
  keyFields,
  keyShape,
  limitColumns,
  made,
  pageShape,
  teamFields,
  teamShape,
  userFields,
  userShape,
} from "../rows.ts";
import { STANDING, standingOf, standingShape, userSpend } from "../spend.ts";

async function teamsOf(ctx: AdminContext, names: readonly string[]): Promise<TeamRow[]> {
  const found = new Map<string, TeamRow>();
  for (const [index, name] of names.entries()) {
    const team = await findTeam(ctx.deps.db, ctx.orgId, name);
    if (team === null) throw notFound("team", `teams[${index}]`);
    found.set(team.id, team);
  }
  return [...found.values()];
}

/** A user is made in one organization: another one that is named is missing there. */
async function requireActing(ctx: AdminContext, names: readonly string[]): Promise<void> {
  for (const [index, name] of names.entries()) {
    const org = await findOrg(ctx.deps.db, name);
    if (org?.id !== ctx.orgId) throw notFound("organization", `organizations[${index}]`);
  }
}

const create = operation({
  id: "user.new",
  section: "Users",
  summary: "Create a user, and a key for the user",
  notes:
    "The answer carries a first key unless auto_create_key is false; a user of one team gets a key of that team. A maker gives nobody more than the own role.",
  http: [{ method: "POST", path: "/user/new" }],
  permission: { resource: "user", action: "create" },
  event: "user.created",
  input: z.object({
    user_id: chosenId.nullish().describe("An id of your choice; one is made if absent"),
    user_email: email.nullish().describe("Unique in the organization"),
    user_alias: alias.nullish(),
    user_role: z.enum(ROLE_NAMES).default("internal_user"),
    teams: z.array(reference).max(100, "At most 100 teams").default([]),
    organizations: z
      .array(reference)
      .max(20, "At most 20 organizations")
      .nullish()
      .describe("The one that the call acts in; others let a user in by /organization/member_add"),
    auto_create_key: z.boolean().default(true),
    ...ORG,
    ...KEY_FIELDS,
  }),
  output: userShape.extend({
    teams: z.array(z.string()),
    ...keyShape
      .pick({ token: true, token_id: true, key_name: true, expires: true })
      .extend({ key: z.string().describe("The key itself, shown once") })
      .partial().shape,
  }),
  example: {
    input: { user_id: "ada", user_email: "ada@example.com", user_role: "internal_user" },
    output: {
      ...USER_ROW,
      teams: [],
      key: "sk-rt-g4Zk1x9QmT7ab-…",
      token: KEY_ROW.token,
      token_id: KEY_ROW.token_id,
      key_name: KEY_ROW.key_name,
      expires: null,
    },
  },
  errors: ["conflict", "not_found"],
  target: inOrg,
  async run(ctx, input) {
    const role = roleOf(input.user_role);
    if (!roleWithin(role, ctx.principal.role)) {
      throw new GatewayError("forbidden", "user_role: nobody gives a role above the own one.", {
        param: "user_role",
      });
    }
    await requireActing(ctx, input.organizations ?? []);
    const teams = await teamsOf(ctx, input.teams);
    const row: UserRow = {
      orgId: ctx.orgId,
      id: input.user_id ?? crypto.randomUUID(),
      email: input.user_email?.toLowerCase() ?? null,
      alias: input.user_alias ?? null,
      role,
      active: true,
      personId: null,
      activeOrgId: null,
      models: input.models,
      metadata: input.metadata,
      budgetResetAt: null,
      ...limitColumns(input),
      ...made(ctx.actor, ctx.now),
    };
    const [only, another] = teams;
    const team = another === undefined ? (only ?? null) : null;
    const key = input.auto_create_key ? await newKey(ctx, input, { team, user: row }) : null;
    const events: ChangeEvent[] = [
      {
        type: "user.created",
        objectId: row.id,
        after: { ...userFields(row), teams: teams.map((each) => each.id) },
        data: { user_role: role },
      },
    ];
    if (key) {
      events.push({
        type: "key.created",
        objectId: key.row.handle,
        teamId: team?.id,
        after: keyFields(key.row),
        data: { key_type: key.row.keyType, user_id: row.id },
      });
    }
    await ctx.commit({
      statements: [
        insertUser(ctx.orgId, row),
        ...teams.map((each) =>
          insertTeamMember(ctx.orgId, { teamId: each.id, userId: row.id, createdAt: ctx.now }),
        ),
        ...(key ? [key.statement] : []),
      ],
      touches: [`user:${row.id}`, ...(key ? [`key:${key.row.id}`] : [])],
      events,
    });
    const shown = key && keyFields(key.row);
    return {
      ...userFields(row),
      teams: teams.map((each) => each.id),
      ...(shown && {
        key: key.token,
        token: shown.token,
        token_id: shown.token_id,
        key_name: shown.key_name,
        expires: shown.expires,
      }),
    };
  },
});

const info = operation({
  id: "user.info",
  section: "Users",
  summary: "Show a user, the user's keys and teams",
  notes:
    "Without user_id it is the user behind the key of the call. At most 100 keys and teams are shown.",
  http: [{ method: "GET", path: "/user/info" }],
  permission: { resource: "user", action: "read" },
  event: null,
  input: z.object({ ...ORG, user_id: reference.optional().describe("Id or e-mail address") }),
  output: z.object({
    user_id: z.string(),
    user_info: userShape.extend({
      spend: z.number().describe("US dollars, of all requests so far"),
      ...standingShape,
    }),
    keys: z.array(keyShape),
    teams: z.array(teamShape),
  }),
  example: {
    input: { user_id: "ada" },
    output: {
      user_id: "ada",
      user_info: { ...USER_ROW, spend: 12.345, ...STANDING },
      keys: [KEY_ROW],
      teams: [TEAM_ROW],
    },
  },
  errors: ["not_found"],
  missing: { what: "user", param: "user_id" },
  async target(ctx, input) {
    const name = input.user_id ?? ctx.principal.userId;
    if (name === undefined) {
      throw new GatewayError("invalid_request", "user_id: name the user to show.", {
        param: "user_id",
      });
    }
    const row = await findUser(ctx.deps.db, ctx.orgId, name);
    return row && { subject: { orgId: ctx.orgId, userId: row.id }, object: row };
  },
  async run(ctx, _, row) {
    const { db } = ctx.deps;
    const [keys, teams, spend, standing] = await Promise.all([
      listKeys(db, ctx.orgId, { userId: row.id, page_size: 100 }),
      listTeams(db, ctx.orgId, { userId: row.id, page_size: 100 }),
      userSpend(db, ctx.orgId, row.id),
      standingOf(ctx, { kind: "user", id: row.id }),
    ]);
    return {
      user_id: row.id,
      user_info: { ...userFields(row), spend: usdNumber(spend), ...standing },
      keys: keys.rows.map(keyFields),
      teams: teams.rows.map((each) => teamFields(each)),
    };
  },
});

const list = operation({
  id: "user.list",
  section: "Users",
  summary: "List users",
  notes: "Oldest first. Whoever may not see every user sees the own record.",
  http: [{ method: "GET", path: "/user/list" }],
  permission: { resource: "user", action: "read" },
  event: null,
  input: z.object({ ...ORG, ...PAGE }),
  output: z.object({ users: z.array(userShape), ...pageShape }),
  example: { input: {}, output: { users: [USER_ROW], ...PAGE_ROW } },
  errors: [],
  target: visible,
  async run(ctx, input) {
    const { db } = ctx.deps;
    if (ctx.mayAll("user", "read")) {
      const { rows, ...place } = await listUsers(db, ctx.orgId, input);
      return { users: rows.map(userFields), ...place };
    }
    const { userId } = ctx.principal;
    const own = userId === undefined ? null : await findUser(db, ctx.orgId, userId);
    const users = own ? [userFields(own)] : [];
    return { users, page: 1, page_size: 1, total: users.length, total_pages: users.length };
  },
});

export const USERS = [create, info, list];
