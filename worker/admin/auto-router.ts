import type * as z from "zod";
import { AUTO_ROUTER } from "../core/auto-router.ts";
import { GatewayError } from "../core/errors.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { dialNamed } from "../routing/smart/dial.ts";
import {
  groupsAmong,
  insertDeployment,
  routersAmong,
  updateDeployment,
  type DeploymentRow,
} from "../store/deployments.ts";
import type { AdminContext } from "./context.ts";
import { invalidField, invalidFields } from "./faults.ts";
import { modelFields } from "./model-fields.ts";
import { isKnown, withoutPrices, type LitellmParams, type ModelInfo } from "./new-model.ts";
import {
  MOST_CHARACTERS,
  MOST_UTTERANCES,
  ROUTER_PARAM_NAMES,
  routerConfig,
} from "./router-params.ts";
import { changed, made } from "./rows.ts";

const PREFIX = `${AUTO_ROUTER}/`;
const CONFIG = ["litellm_params", "auto_router_config"];

type RouterConfig = z.output<typeof routerConfig>;

interface Asked {
  model_name: string;
  litellm_params: LitellmParams;
  model_info?: ModelInfo | null | undefined;
}

/** True for parameters of a named router; those of a deployment must hold nothing that only a router has. */
export function isAutoRouter(params: Partial<LitellmParams>): boolean {
  if (params.model?.startsWith(PREFIX) === true) return true;
  const stray = ROUTER_PARAM_NAMES.find((name) => params[name] != null);
  if (stray === undefined) return false;
  throw invalidField(["litellm_params", stray], `Only with model ${PREFIX}<name>`);
}

/** Refuses a deployment under the name of a router. */
export async function notARouter(ctx: AdminContext, name: string): Promise<void> {
  if (!(await routersAmong(ctx.deps.db, ctx.orgId, [name])).has(name)) return;
  throw taken(name, "a named router");
}

export async function createRouter(ctx: AdminContext, input: Asked) {
  const wished = input.model_info ?? {};
  await nameIsFree(ctx, input.model_name);
  const id = wished.id ?? crypto.randomUUID();
  const row: DeploymentRow = {
    orgId: ctx.orgId,
    id,
    group: input.model_name,
    ...(await columnsOf(ctx, input.model_name, input.litellm_params)),
    modelInfo: withoutPrices(wished),
    ...made(ctx.actor, ctx.now),
  };
  await ctx.commit({
    statements: [insertDeployment(ctx.orgId, row)],
    touches: ["shared"],
    events: [
      {
        type: "model.created",
        objectId: id,
        after: modelFields(row, undefined),
        data: { provider: AUTO_ROUTER },
      },
    ],
  });
  return { model_id: id, ...modelFields(row, undefined) };
}

/** Changes a router's row; absent fields stay, null clears one. */
export async function updateRouter(
  ctx: AdminContext,
  row: DeploymentRow,
  { name, params, info }: { name: string | null | undefined; params: JsonObject; info: JsonObject },
) {
  const group = name ?? row.group;
  if (group !== row.group) await nameIsFree(ctx, group);
  const merged = { ...row.litellmParams, ...params } as unknown as LitellmParams;
  if (!merged.model.startsWith(PREFIX)) {
    throw invalidField(
      ["litellm_params", "model"],
      "A router stays one: delete it and add another",
    );
  }
  const after: DeploymentRow = {
    ...row,
    ...(await columnsOf(ctx, group, merged)),
    group,
    modelInfo: withoutPrices({ ...row.modelInfo, ...info }),
    ...changed(ctx.actor, ctx.now),
  };
  const { orgId: _, id, createdAt: __, createdBy: ___, ...patch } = after;
  await ctx.commit({
    statements: [updateDeployment(ctx.orgId, id, patch)],
    touches: ["shared"],
    events: [
      {
        type: "model.updated",
        objectId: id,
        before: modelFields(row, undefined),
        after: modelFields(after, undefined),
        data: {
          provider: AUTO_ROUTER,
          fields: [
            ...(group === row.group ? [] : ["model_name"]),
            ...Object.keys(params).map((each) => `litellm_params.${each}`),
            ...Object.keys(info).map((each) => `model_info.${each}`),
          ],
        },
      },
    ],
  });
  return { model_id: id, ...modelFields(after, undefined) };
}

async function nameIsFree(ctx: AdminContext, name: string): Promise<void> {
  if (!(await groupsAmong(ctx.deps.db, ctx.orgId, [name])).has(name)) return;
  throw taken(name, "a model");
}

function taken(name: string, what: string): GatewayError {
  return new GatewayError("conflict", `model_name: '${name}' is ${what} already.`, {
    param: "model_name",
  });
}

/** The columns of a router's row. Refuses what a router has no use for, and models that do not exist. */
async function columnsOf(ctx: AdminContext, group: string, params: LitellmParams) {
  const kept: JsonObject = {};
  for (const [name, value] of Object.entries(params)) {
    if (value == null) continue;
    if (name !== "model" && !ROUTER_PARAM_NAMES.some((each) => each === name)) {
      throw invalidField(["litellm_params", name], "A router takes none: it calls nothing itself");
    }
    kept[name] = value as Json;
  }
  const name = params.model.slice(PREFIX.length);
  if (name === "") throw invalidField(["litellm_params", "model"], `Must be ${PREFIX}<name>`);
  const fallback = params.auto_router_default_model;
  if (fallback == null) {
    throw invalidField(["litellm_params", "auto_router_default_model"], "Field required");
  }
  const config = readConfig(params.auto_router_config);
  await targetsExist(ctx, group, config, fallback);
  return {
    provider: AUTO_ROUTER,
    model: name,
    // A router speaks to nobody; the columns of a deployment's address are filled for the table's sake.
    protocol: "openai-chat" as const,
    baseUrl: "",
    credentialId: null,
    region: null,
    weight: 1,
    order: 0,
    tags: [],
    timeoutMs: null,
    facts: { capabilities: {} },
    litellmParams: { ...kept, auto_router_config: config as unknown as Json },
  };
}

function readConfig(said: LitellmParams["auto_router_config"]): RouterConfig {
  if (said == null) throw invalidField(CONFIG, "Field required");
  let value: unknown = said;
  if (typeof said === "string") {
    try {
      value = JSON.parse(said);
    } catch {
      throw invalidField(CONFIG, "Must be JSON: {routes: [{name, utterances}]}");
    }
  }
  const parsed = routerConfig.safeParse(value);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) issue.path.unshift(...CONFIG);
    throw invalidFields(parsed.error, "body");
  }
  if (JSON.stringify(parsed.data).length > MOST_CHARACTERS) {
    throw invalidField(CONFIG, "At most 100,000 characters");
  }
  const { routes } = parsed.data;
  const all = routes.reduce((sum, { utterances }) => sum + (utterances?.length ?? 0), 0);
  if (all > MOST_UTTERANCES) {
    throw invalidField([...CONFIG, "routes"], `At most ${MOST_UTTERANCES} utterances in all`);
  }
  for (const [at, { name, utterances, description }] of routes.entries()) {
    if (routes.findIndex((each) => each.name === name) < at) {
      throw invalidField([...CONFIG, "routes", at, "name"], "There is a route to this model above");
    }
    if (!utterances?.length && (description ?? "").trim() === "") {
      throw invalidField([...CONFIG, "routes", at, "utterances"], "Must hold at least one");
    }
  }
  return parsed.data;
}

/** Every model that a router names exists, and is no router: routes do not go in circles. */
async function targetsExist(
  ctx: AdminContext,
  group: string,
  { routes }: RouterConfig,
  fallback: string,
): Promise<void> {
  const named = [
    ...routes.map(({ name }, at) => ({ name, path: [...CONFIG, "routes", at, "name"] })),
    { name: fallback, path: ["litellm_params", "auto_router_default_model"] },
  ];
  const names = [...new Set(named.map(({ name }) => name))];
  const { db } = ctx.deps;
  const [groups, routers] = await Promise.all([
    groupsAmong(db, ctx.orgId, names),
    routersAmong(db, ctx.orgId, names),
  ]);
  for (const { name, path } of named) {
    if (name === group || routers.has(name)) {
      throw invalidField(path, "Must be a model: a router can't lead to a router");
    }
    if (groups.has(name) || dialNamed(name) !== null || isKnown(name)) continue;
    throw invalidField(path, "There is no such model: GET /model_group/info lists them");
  }
}
