import * as z from "zod";
import { GatewayError } from "../../core/errors.ts";
import { releaseCustomers } from "../../store/customers.ts";
import { findOrg } from "../../store/orgs.ts";
import {
  deleteTeamMembers,
  deleteTeams,
  findTeam,
  updateTeam,
  type TeamPatch,
  type TeamRow,
} from "../../store/teams.ts";
import { TEAM_ROW } from "../examples.ts";
import {
  alias,
  aliases,
  ATTACHED_LIMITS,
  metadata,
  models,
  ORG,
  reference,
  tags,
} from "../fields.ts";
import { CAPABILITIES, requireCapabilities } from "../capabilities.ts";
import type { AdminContext } from "../context.ts";
import { operation } from "../operation.ts";
import { revokeKeys } from "../revoked-keys.ts";
import { changed, limitPatch, teamFields, teamShape } from "../rows.ts";
import { fieldsOf } from "./key-changes.ts";

const TEAM = reference.describe("Id or alias of the team");
const MISSING = { what: "team", param: "team_id" };

/** The team that is named, as a target. */
export async function teamTarget(ctx: AdminContext, name: string) {
  const row = await findTeam(ctx.deps.db, ctx.orgId, name);
  return row && { subject: { orgId: ctx.orgId, teamId: row.id }, object: row };
}

const update = operation({
  id: "team.update",
  section: "Teams",
  summary: "Change a team",
  notes: "Absent fields stay, null clears one. What its keys may call follows within 5 s.",
  http: [{ method: "POST", path: "/team/update" }],
  permission: { resource: "team", action: "write" },
  event: "team.updated",
  input: z.object({
    ...ORG,
    team_id: TEAM,
    team_alias: alias.nullish(),
    models: models.nullish(),
    model_aliases: aliases.nullish(),
    tags: tags.nullish(),
    metadata: metadata.nullish(),
    guardrails: CAPABILITIES.guardrails,
    ...ATTACHED_LIMITS,
  }),
  output: teamShape.extend({ data: teamShape.describe("The same row") }),
  example: {
    input: { team_id: "search", max_budget: 400 },
    output: { ...TEAM_ROW, max_budget: 400, data: { ...TEAM_ROW, max_budget: 400 } },
  },
  errors: ["conflict", "not_found"],
  missing: MISSING,
  target: (ctx, input) => teamTarget(ctx, input.team_id),
  async run(ctx, input, row) {
    requireCapabilities(input);
    const patch: TeamPatch = { ...limitPatch(input), ...changed(ctx.actor, ctx.now) };
    if (input.team_alias !== undefined) patch.alias = input.team_alias ?? row.id;
    if (input.models !== undefined) patch.models = input.models ?? [];
    if (input.model_aliases !== undefined) patch.aliases = input.model_aliases ?? {};
    if (input.tags !== undefined) patch.tags = input.tags ?? [];
    if (input.metadata !== undefined) patch.metadata = input.metadata ?? {};
    const shown = teamFields({ ...row, ...(patch as Partial<TeamRow>) });
    await ctx.commit({
      statements: [updateTeam(ctx.orgId, row.id, patch)],
      touches: [`team:${row.id}`],
      events: [
        {
          type: "team.updated",
          objectId: row.id,
          teamId: row.id,
          before: teamFields(row),
          after: shown,
          data: { fields: fieldsOf(input, ["team_id", "organization_id"]) },
        },
      ],
    });
    return { ...shown, data: shown };
  },
});

const remove = operation({
  id: "team.delete",
  section: "Teams",
  summary: "Delete teams and their keys",
  notes:
    "All of them or, where one is missing, none. Their keys die with them, everywhere within 5 s; users stay. The team that keys without a team belong to can't be deleted.",
  http: [
    { method: "POST", path: "/team/delete" },
    { method: "DELETE", path: "/team/delete" },
  ],
  permission: { resource: "team", action: "delete" },
  event: "team.deleted",
  input: z.object({
    ...ORG,
    team_ids: z.array(TEAM).min(1, "Must not be empty").max(100, "At most 100 teams"),
  }),
  output: z.object({ deleted_teams: z.array(teamShape), deleted_keys: z.number() }),
  example: {
    input: { team_ids: ["search"] },
    output: { deleted_teams: [TEAM_ROW], deleted_keys: 3 },
  },
  errors: ["invalid_request", "not_found"],
  missing: { what: "team", param: "team_ids" },
  async target(ctx, input) {
    const rows = new Map<string, TeamRow>();
    for (const name of input.team_ids) {
      const row = await findTeam(ctx.deps.db, ctx.orgId, name);
      if (row === null) return null;
      rows.set(row.id, row);
    }
    const all = [...rows.values()];
    return { subject: all.map((row) => ({ orgId: ctx.orgId, teamId: row.id })), object: all };
  },
  async run(ctx, _, rows) {
    const teamIds = rows.map((row) => row.id);
    const org = await findOrg(ctx.deps.db, ctx.orgId);
    if (org !== null && teamIds.includes(org.defaultTeamId ?? "")) {
      throw new GatewayError(
        "invalid_request",
        "team_ids: the organization's first team can't be deleted; keys without a team belong to it.",
        { param: "team_ids" },
      );
    }
    const revoked = await revokeKeys(ctx, { teamIds });
    await ctx.commit({
      statements: [
        deleteTeams(ctx.orgId, teamIds),
        deleteTeamMembers(ctx.orgId, { teamIds }),
        releaseCustomers(ctx.orgId, teamIds),
        revoked.statement,
      ],
      touches: teamIds.map((id) => `team:${id}`),
      events: [
        ...rows.map((row) => ({
          type: "team.deleted" as const,
          objectId: row.id,
          teamId: row.id,
          before: teamFields(row),
          data: { keys_revoked: revoked.count },
        })),
        ...revoked.events,
      ],
    });
    return {
      deleted_teams: rows.map((row) => teamFields(row)),
      deleted_keys: revoked.count,
    };
  },
});

function blocking(blocked: boolean) {
  const verb = blocked ? "block" : "unblock";
  const type = blocked ? "team.blocked" : "team.unblocked";
  return operation({
    id: `team.${verb}`,
    section: "Teams",
    summary: blocked ? "Block a team" : "Unblock a team",
    notes: blocked
      ? "Its keys are refused as unknown ones, everywhere within 5 s, until it is unblocked."
      : "Its keys work again within 5 s, those aside that are blocked themselves.",
    http: [{ method: "POST", path: `/team/${verb}` }],
    // Beyond what a team's own admin may do, like its deletion.
    permission: { resource: "team", action: "delete" },
    event: type,
    input: z.object({ ...ORG, team_id: TEAM }),
    output: teamShape,
    example: { input: { team_id: "search" }, output: { ...TEAM_ROW, blocked } },
    errors: ["not_found"],
    missing: MISSING,
    target: (ctx, input) => teamTarget(ctx, input.team_id),
    async run(ctx, _, row) {
      const patch = { blocked, ...changed(ctx.actor, ctx.now) };
      const after = teamFields({ ...row, ...patch });
      await ctx.commit({
        statements: [updateTeam(ctx.orgId, row.id, patch)],
        touches: [`team:${row.id}`],
        events: [{ type, objectId: row.id, teamId: row.id, before: teamFields(row), after }],
      });
      return after;
    },
  });
}

export const CHANGED_TEAMS = [update, remove, blocking(true), blocking(false)];
