import * as z from "zod";
import { shownOrgId } from "../../core/ids.ts";
import type { JsonObject } from "../../core/json.ts";
import { routerSettings, unknownSettings } from "../../core/router-settings.ts";
import { groupsAmong } from "../../store/deployments.ts";
import { findOrg, mergeRouterSettings, type OrgRow } from "../../store/orgs.ts";
import type { AdminContext } from "../context.ts";
import { invalidFields } from "../faults.ts";
import { metadata, ORG } from "../fields.ts";
import { isKnown } from "../new-model.ts";
import { notFound, operation } from "../operation.ts";
import { checkDocument } from "../../policy/checked.ts";
import { keepsAliases, knownIn } from "../policy-publishing.ts";
import { putIntoForce } from "./policies.ts";
import {
  alertingFields,
  alertingSettings,
  changeAlerting,
  checkAlerting,
  notAlerting,
} from "../alerting.ts";
import { readWebhook } from "../../store/webhooks.ts";
import {
  litellmSettings,
  aliasesIn,
  modelsIn,
  standsForOthers,
  routerPartOf,
  settingFields,
  shownSettings,
} from "../routing-settings.ts";

/** The organization that a call acts in, as its router settings' owner. */
export async function routedOrg(ctx: AdminContext) {
  const row = await findOrg(ctx.deps.db, ctx.orgId);
  return row && { subject: { orgId: row.id }, object: row };
}

/** Merges a patch into the stored settings, null taking a member away, and tells what is stored then. */
export async function changeRouting(
  ctx: AdminContext,
  row: OrgRow,
  patch: JsonObject,
): Promise<JsonObject> {
  const before = row.config.router_settings ?? {};
  const after = merged(before, patch);
  const [had, has] = [aliasesIn(before), aliasesIn(after)];
  await keepsAliases(
    ctx,
    Object.keys(had).filter((name) => !Object.hasOwn(has, name)),
  );
  await ctx.commit({
    statements: mergeRouterSettings(row.id, patch, ctx.actor, ctx.now),
    touches: ["shared"],
    events: [
      {
        type: "config.updated",
        objectId: shownOrgId(row.id),
        before: { router_settings: before },
        after: { router_settings: after },
        data: { fields: Object.keys(patch) },
      },
    ],
  });
  return after;
}

function merged(before: JsonObject, patch: JsonObject): JsonObject {
  const kept = Object.entries({ ...before, ...patch }).filter(([, value]) => value !== null);
  return Object.fromEntries(kept);
}

const settings = z.object({ router_settings: routerSettings, litellm_settings: litellmSettings });
const router = z.record(z.string(), z.unknown());
const EXAMPLE = {
  router_settings: {
    routing_strategy: "lowest_latency",
    num_retries: 2,
    fallbacks: [{ "gpt-4o": ["claude-sonnet"] }],
  },
};

const update = operation({
  id: "config.update",
  section: "Router",
  summary: "Change the router settings",
  notes:
    "Members that are sent replace those of the same name, null takes one away, others stay. Router settings are also taken out of litellm_settings. What has no meaning here is named in `ignored`, and models that are not there (yet) in `unknown_models`: until they are, chains go on without them. Effective everywhere within 5 s.",
  http: [{ method: "POST", path: "/config/update" }],
  permission: { resource: "model", action: "write" },
  event: "config.updated",
  input: z.object({
    ...ORG,
    router_settings: metadata.optional().describe("See GET /config/list for every setting"),
    litellm_settings: metadata.optional(),
    general_settings: alertingSettings
      .optional()
      .describe("Where events are sent: alerting_webhook_url and its secret"),
    policy: z
      .union([z.string().max(600_000), z.record(z.string(), z.unknown())])
      .optional()
      .describe("A policy document, as YAML or as an object: the same as PUT /policy/{workspace}"),
  }),
  output: z.object({
    message: z.string(),
    router_settings: router,
    ignored: z.array(z.string()),
    unknown_models: z.array(z.string()).describe("Where each is named, and its name"),
    general_settings: router.optional().describe("A secret that was just made stands here, once"),
    policy: z.object({ version: z.number(), hash: z.string(), changed: z.boolean() }).optional(),
  }),
  example: {
    input: EXAMPLE,
    output: {
      message: "Config updated successfully",
      ...EXAMPLE,
      ignored: [],
      unknown_models: ["fallbacks.gpt-4o: claude-sonnet"],
    },
  },
  errors: ["not_found"],
  missing: { what: "organization", param: "organization_id" },
  target: routedOrg,
  async run(ctx, input, row) {
    const { router_settings: sent = {}, litellm_settings: litellm = {} } = input;
    const read = settings.safeParse({ router_settings: sent, litellm_settings: litellm });
    if (!read.success) throw invalidFields(read.error, "body");
    const general = input.general_settings ?? {};
    const ignored = [
      ...Object.keys(litellm)
        .filter((name) => !Object.hasOwn(litellmSettings.shape, name))
        .map((name) => `litellm_settings.${name}`),
      ...unknownSettings(sent as JsonObject).map((name) => `router_settings.${name}`),
      ...notAlerting(general).map((name) => `general_settings.${name}`),
    ].map((name) => name.slice(0, 128));
    checkAlerting(ctx, general);
    const policy = input.policy === undefined ? undefined : await published(ctx, input.policy);
    const patch: JsonObject = {
      ...routerPartOf(read.data.litellm_settings),
      ...(read.data.router_settings as JsonObject),
    };
    const alerting = await changeAlerting(ctx, general);
    const routed = Object.keys(patch).length > 0 || alerting === undefined;
    const after = routed
      ? await changeRouting(ctx, row, patch)
      : (row.config.router_settings ?? {});
    return {
      message: "Config updated successfully",
      router_settings: shownSettings(after),
      ignored: ignored.slice(0, 100),
      unknown_models: await unknownModels(ctx, after, patch),
      ...(policy !== undefined && { policy }),
      ...(alerting !== undefined && { general_settings: alerting }),
    };
  },
});

/** Models that a patch names and that stand for nothing; "*" is all of them. */
async function unknownModels(
  ctx: AdminContext,
  after: JsonObject,
  patch: JsonObject,
): Promise<string[]> {
  const named = modelsIn(patch);
  const known = await groupsAmong(
    ctx.deps.db,
    ctx.orgId,
    named.map(({ model }) => model),
  );
  const standsForNothing = (model: string) =>
    !known.has(model) && !isKnown(model) && !standsForOthers(after, model);
  return named
    .filter(({ model }) => standsForNothing(model))
    .map(({ at, model }) => `${at}: ${model}`.slice(0, 300))
    .slice(0, 100);
}

/** Publishes a document that came with other settings; nothing of the call is applied where it is refused. */
async function published(ctx: AdminContext, document: string | object) {
  ctx.require("policy", "write", { orgId: ctx.orgId });
  const yaml = typeof document === "string" ? document : JSON.stringify(document, null, 2);
  const checked = checkDocument(await knownIn(ctx, "org"), yaml);
  const { version, hash, changed } = await putIntoForce(ctx, "org", checked, {
    dryRun: false,
    ifMatch: null,
    restores: null,
  });
  return { version, hash, changed };
}

const list = operation({
  id: "config.list",
  section: "Router",
  summary: "Show the router settings",
  notes: "What is stored, and every setting with its meaning and default.",
  http: [
    { method: "GET", path: "/config/list" },
    { method: "GET", path: "/config/update" },
    { method: "GET", path: "/router/settings" },
  ],
  permission: { resource: "model", action: "read" },
  event: null,
  input: z.object({ ...ORG }),
  output: z.object({
    router_settings: router,
    general_settings: router,
    fields: z.array(
      z.object({
        field_name: z.string(),
        field_description: z.string(),
        field_value: z.unknown(),
        field_default_value: z.unknown(),
        stored_in_db: z.boolean(),
      }),
    ),
  }),
  example: {
    input: {},
    output: {
      ...EXAMPLE,
      general_settings: {},
      fields: [
        {
          field_name: "num_retries",
          field_description: "Further attempts within a group; 3 if absent",
          field_value: 2,
          field_default_value: 3,
          stored_in_db: true,
        },
      ],
    },
  },
  errors: ["not_found"],
  async target(ctx) {
    const found = await routedOrg(ctx);
    if (found === null) throw notFound("organization", "organization_id");
    return found;
  },
  async run(ctx, _, row) {
    const stored = row.config.router_settings ?? {};
    const webhook = await readWebhook(ctx.deps.db, row.id);
    return {
      router_settings: shownSettings(stored),
      general_settings: alertingFields(webhook),
      fields: settingFields(stored),
    };
  },
});

export const CONFIG = [update, list];
