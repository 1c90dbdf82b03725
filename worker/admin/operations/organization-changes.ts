import * as z from "zod";
import { shownOrgId } from "../../core/ids.ts";
import type { JsonObject } from "../../core/json.ts";
import { learningSettings } from "../../core/learning.ts";
import { deleteOrg, findOrg, updateOrg, type OrgPatch, type OrgRow } from "../../store/orgs.ts";
import type { AdminContext } from "../context.ts";
import { ORG_ROW } from "../examples.ts";
import { invalidField } from "../faults.ts";
import {
  alias,
  ATTACHED_LIMITS,
  models,
  orgMetadata,
  ORG,
  reference,
  timeZone,
} from "../fields.ts";
import { operation } from "../operation.ts";
import { changed, limitPatch, orgFields, orgShape } from "../rows.ts";
import { fieldsOf } from "./key-changes.ts";

const update = operation({
  id: "organization.update",
  section: "Organizations",
  summary: "Change an organization",
  notes:
    "Absent fields stay, null clears one. Only the platform admin blocks an organization: all its keys are then refused as unknown ones, everywhere within 5 s.",
  http: [
    { method: "PATCH", path: "/organization/update" },
    { method: "POST", path: "/organization/update" },
  ],
  permission: { resource: "organization", action: "write" },
  event: "organization.updated",
  input: z.object({
    ...ORG,
    organization_alias: alias.optional(),
    models: models.nullish(),
    metadata: orgMetadata.nullish(),
    blocked: z.boolean().optional(),
    time_zone: timeZone.optional(),
    ...ATTACHED_LIMITS,
  }),
  output: orgShape,
  example: { input: { models: ["openai/*"], max_budget: 5000 }, output: ORG_ROW },
  errors: ["not_found"],
  missing: { what: "organization", param: "organization_id" },
  async target(ctx) {
    const row = await findOrg(ctx.deps.db, ctx.orgId);
    return row && { subject: { orgId: row.id }, object: row };
  },
  async run(ctx, input, row) {
    const patch: OrgPatch = { ...limitPatch(input), ...changed(ctx.actor, ctx.now) };
    if (input.organization_alias !== undefined) patch.alias = input.organization_alias;
    if (input.time_zone !== undefined) patch.timeZone = input.time_zone;
    if (input.models !== undefined) patch.models = input.models ?? [];
    if (input.metadata !== undefined) {
      await checkVersion(ctx, input.metadata ?? {});
      patch.metadata = input.metadata ?? {};
    }
    if (input.blocked !== undefined) {
      ctx.require("platform", "write", { orgId: ctx.orgId });
      patch.blocked = input.blocked;
    }
    const after = orgFields({ ...row, ...(patch as Partial<OrgRow>) });
    await ctx.commit({
      statements: [updateOrg(row.id, patch)],
      touches: ["shared"],
      events: [
        {
          type: "organization.updated",
          objectId: shownOrgId(row.id),
          before: orgFields(row),
          after,
          data: { fields: fieldsOf(input, ["organization_id"]) },
        },
      ],
    });
    return after;
  },
});

/** A version that the smart router is to decide by has to be there: it would fall back to nothing learned. */
async function checkVersion(ctx: AdminContext, metadata: JsonObject): Promise<void> {
  const version = learningSettings(metadata)?.version ?? null;
  if (version === null) return;
  if ((await ctx.deps.learningObject(ctx.orgId).snapshot(version)) !== null) return;
  throw invalidField(
    ["metadata", "smart_learning", "version"],
    "No such version is kept; GET /smart/learning lists those that are",
  );
}

const remove = operation({
  id: "organization.delete",
  section: "Organizations",
  summary: "Delete organizations with all that belongs to them",
  notes:
    "Keys, users, teams, customers, models and credentials go with it, and every key is refused everywhere within 5 s. What happened and what was spent stays on record. Where one of them is missing, none is deleted.",
  http: [
    { method: "DELETE", path: "/organization/delete" },
    { method: "POST", path: "/organization/delete" },
  ],
  permission: { resource: "organization", action: "delete" },
  event: "organization.deleted",
  acrossOrgs: true,
  input: z.object({
    organization_ids: z
      .array(reference)
      .min(1, "Must not be empty")
      .max(20, "At most 20 organizations"),
  }),
  output: z.array(orgShape),
  example: { input: { organization_ids: ["org_g4Zk1x9QmT7ab"] }, output: [ORG_ROW] },
  errors: ["not_found"],
  missing: { what: "organization", param: "organization_ids" },
  async target(ctx, input) {
    const rows = new Map<string, OrgRow>();
    for (const name of input.organization_ids) {
      const row = await findOrg(ctx.deps.db, name);
      if (row === null) return null;
      rows.set(row.id, row);
    }
    const all = [...rows.values()];
    return { subject: all.map((row) => ({ orgId: row.id })), object: all };
  },
  async run(ctx, _, rows) {
    for (const row of rows) {
      await ctx.commit({
        orgId: row.id,
        statements: deleteOrg(row.id),
        touches: ["shared"],
        events: [
          {
            type: "organization.deleted",
            objectId: shownOrgId(row.id),
            before: orgFields(row),
          },
        ],
      });
    }
    return rows.map(orgFields);
  },
});

export const CHANGED_ORGANIZATIONS = [update, remove];
