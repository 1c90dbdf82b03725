import * as z from "zod";
import { bareOrgId, isOrgId, newOrgId, shownOrgId } from "../../core/ids.ts";
import { orgSpend, STANDING, standingOf, standingShape } from "../spend.ts";
import { findOrg, insertOrg, listOrgs, type OrgRow } from "../../store/orgs.ts";
import { insertTeam, listTeams, type TeamRow } from "../../store/teams.ts";
import { findUser, listUsers, orgsOfPerson, personOf } from "../../store/users.ts";
import { usdNumber } from "../../core/money.ts";
import { crossing } from "../authenticate.ts";
import type { AdminContext } from "../context.ts";
import { ORG_ROW, TEAM_ROW } from "../examples.ts";
import {
  alias,
  chosenId,
  ATTACHED_LIMITS,
  orgMetadata,
  models,
  ORG,
  PAGE,
  timeZone,
} from "../fields.ts";
import { inOrg, operation, visible } from "../operation.ts";
import { limitColumns, made, orgFields, orgShape, teamFields, teamShape } from "../rows.ts";

/** The team that every organization begins with, for keys that name none. */
const FIRST_TEAM = "default";

const create = operation({
  id: "organization.new",
  section: "Organizations",
  summary: "Create an organization",
  notes:
    "An organization is the boundary of isolation. It begins with one team, for keys that name none. Its data region can't be changed later.",
  http: [{ method: "POST", path: "/organization/new" }],
  permission: { resource: "organization", action: "create" },
  event: "organization.created",
  acrossOrgs: true,
  input: z.object({
    organization_alias: alias,
    organization_id: chosenId
      .refine((id) => !isOrgId(bareOrgId(id)), {
        error: "Has the form of an id that is given by us",
      })
      .nullish()
      .describe("An id of your choice; one is made if absent"),
    models: models.default([]),
    metadata: orgMetadata.default({}),
    region: z.enum(["global", "eu", "fedramp"]).default("global").describe("Where its data lives"),
    time_zone: timeZone.default("UTC"),
    ...ATTACHED_LIMITS,
  }),
  output: orgShape,
  example: {
    input: {
      organization_alias: "acme",
      models: ["openai/*"],
      max_budget: 5000,
      budget_duration: "1mo",
    },
    output: ORG_ROW,
  },
  errors: ["conflict"],
  target: inOrg,
  async run(ctx, input) {
    const id = newOrgId(input.region);
    const teamId = crypto.randomUUID();
    const provenance = made(ctx.actor, ctx.now);
    const row: OrgRow = {
      id,
      chosenId: input.organization_id ?? null,
      alias: input.organization_alias,
      models: input.models,
      blocked: false,
      defaultTeamId: teamId,
      metadata: input.metadata,
      config: {},
      timeZone: input.time_zone,
      budgetResetAt: null,
      ...limitColumns(input),
      ...provenance,
    };
    await ctx.commit({
      orgId: id,
      statements: [
        insertOrg(row),
        insertTeam(id, { id: teamId, alias: FIRST_TEAM, ...provenance }),
      ],
      touches: ["shared", `team:${teamId}`],
      events: [
        { type: "organization.created", objectId: shownOrgId(id), after: orgFields(row) },
        {
          type: "team.created",
          objectId: teamId,
          teamId,
          after: { team_id: teamId, team_alias: FIRST_TEAM },
        },
      ],
    });
    return orgFields(row);
  },
});

/** The key's own organization first, then those that it may cross over to. */
async function organizationsOf(ctx: AdminContext): Promise<OrgRow[]> {
  const { db } = ctx.deps;
  const home = (ctx.caller.home ?? ctx.caller).principal;
  const user = home.userId === undefined ? null : await findUser(db, home.orgId, home.userId);
  const person = user && personOf(user);
  const first = person?.slice(0, person.indexOf("/"));
  const others = person ? await orgsOfPerson(db, person) : [];
  const ids = new Set([home.orgId, ...(first === undefined ? [] : [first]), ...others]);
  const rows: OrgRow[] = [];
  for (const id of ids) {
    const open = id === home.orgId || (await crossing(ctx.deps, ctx.caller, id)) !== null;
    const row = open ? await findOrg(db, id) : null;
    if (row !== null) rows.push(row);
  }
  return rows;
}

const list = operation({
  id: "organization.list",
  section: "Organizations",
  summary: "List organizations",
  notes:
    "The platform admin sees all, oldest first; anybody else the organization of the key, and others that its user belongs to if the key may act there.",
  http: [{ method: "GET", path: "/organization/list" }],
  permission: { resource: "organization", action: "read" },
  event: null,
  acrossOrgs: true,
  input: z.object({ ...PAGE }),
  output: z.array(orgShape),
  example: { input: {}, output: [ORG_ROW] },
  errors: [],
  target: visible,
  async run(ctx, input) {
    if (ctx.mayAll("platform", "read")) {
      const found = await listOrgs(ctx.deps.db, input);
      ctx.headers["x-total-count"] = String(found.total);
      return found.rows.map(orgFields);
    }
    const rows = await organizationsOf(ctx);
    ctx.headers["x-total-count"] = String(rows.length);
    return rows.map(orgFields);
  },
});

const info = operation({
  id: "organization.info",
  section: "Organizations",
  summary: "Show an organization, its members and teams",
  notes:
    "Without organization_id it is the organization that the call acts in. At most 100 members and teams are shown.",
  http: [{ method: "GET", path: "/organization/info" }],
  permission: { resource: "organization", action: "read" },
  event: null,
  input: z.object({ ...ORG }),
  output: orgShape.extend({
    members: z.array(z.object({ user_id: z.string(), user_role: z.string() })),
    teams: z.array(teamShape),
    spend: z.number().describe("US dollars, of all requests so far"),
    ...standingShape,
  }),
  example: {
    input: { organization_id: "org_g4Zk1x9QmT7ab" },
    output: {
      ...ORG_ROW,
      members: [{ user_id: "ada", user_role: "admin" }],
      teams: [TEAM_ROW],
      spend: 12.345,
      ...STANDING,
    },
  },
  errors: [],
  missing: { what: "organization", param: "organization_id" },
  async target(ctx) {
    const row = await findOrg(ctx.deps.db, ctx.orgId);
    return row && { subject: { orgId: row.id }, object: row };
  },
  async run(ctx, _, row) {
    const { db } = ctx.deps;
    const [members, teams] = await Promise.all([
      listUsers(db, row.id, { page_size: 100 }),
      listTeams(db, row.id, { page_size: 100 }),
    ]);
    return {
      ...orgFields(row),
      members: members.rows.map((each) => ({ user_id: each.id, user_role: each.role })),
      teams: teams.rows.map((each: TeamRow) => teamFields(each)),
      spend: usdNumber(await orgSpend(db, row.id)),
      ...(await standingOf(ctx, { kind: "org", id: row.id })),
    };
  },
});

export const ORGANIZATIONS = [create, list, info];
