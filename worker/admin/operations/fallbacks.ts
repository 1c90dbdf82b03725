import * as z from "zod";
import { isJsonObject, type JsonObject } from "../../core/json.ts";
import { fallbackList } from "../../core/router-settings.ts";
import { groupsAmong } from "../../store/deployments.ts";
import type { OrgRow } from "../../store/orgs.ts";
import type { AdminContext } from "../context.ts";
import { invalidField } from "../faults.ts";
import { alias, ORG, reference } from "../fields.ts";
import { isKnown } from "../new-model.ts";
import { notFound, operation } from "../operation.ts";
import {
  aliasesIn,
  FALLBACK_TYPE_NAMES,
  FALLBACK_TYPES,
  standsForOthers,
  type FallbackType,
} from "../routing-settings.ts";
import { changeRouting, routedOrg } from "./config.ts";

const type = z
  .enum(FALLBACK_TYPE_NAMES)
  .default("general")
  .describe("general, or after a too long prompt (context_window) or a filter (content_policy)");

const chain = z.object({
  model: z.string(),
  fallback_models: z.array(z.string()),
  fallback_type: z.enum(FALLBACK_TYPE_NAMES),
});

const EXAMPLE = {
  model: "gpt-4o",
  fallback_models: ["claude-sonnet", "gemini-pro"],
  fallback_type: "general" as const,
};

function chainsOf(row: OrgRow, which: FallbackType): Record<string, string[]> {
  const chains = row.config.router_settings?.[FALLBACK_TYPES[which]];
  return isJsonObject(chains) ? (chains as Record<string, string[]>) : {};
}

/** Stores one kind of chains as they shall be. */
function putChains(ctx: AdminContext, row: OrgRow, which: FallbackType, chains: JsonObject) {
  return changeRouting(ctx, row, { [FALLBACK_TYPES[which]]: chains });
}

const create = operation({
  id: "fallback.new",
  section: "Router",
  summary: "Set the fallbacks of a model",
  notes:
    "The chain takes the place of the model's present one of this type. The model may be a group, provider/model, or * for all that have none. A fallback that is written here may lie outside of a key's allowlist.",
  http: [
    { method: "POST", path: "/fallbacks" },
    { method: "POST", path: "/fallback" },
  ],
  permission: { resource: "model", action: "write" },
  event: "config.updated",
  input: z.object({
    ...ORG,
    model: alias,
    fallback_models: fallbackList.min(1, "Must name at least one model"),
    fallback_type: type,
  }),
  output: chain,
  example: { input: EXAMPLE, output: EXAMPLE },
  errors: ["not_found"],
  missing: { what: "organization", param: "organization_id" },
  target: routedOrg,
  async run(ctx, { model, fallback_models: list, fallback_type: which }, row) {
    if (list.includes(model)) {
      throw invalidField(["fallback_models"], "A model can't be its own fallback");
    }
    const known = await groupsAmong(ctx.deps.db, ctx.orgId, [model, ...list]);
    if (
      !known.has(model) &&
      !isKnown(model) &&
      !standsForOthers(row.config.router_settings ?? {}, model)
    ) {
      throw invalidField(["model"], "There is no such model: GET /model_group/info lists them");
    }
    const aliases = aliasesIn(row.config.router_settings ?? {});
    const unknown = list.findIndex(
      (name) => !known.has(name) && !isKnown(name) && !Object.hasOwn(aliases, name),
    );
    if (unknown >= 0) {
      throw invalidField(
        ["fallback_models", unknown],
        "There is no such model: GET /model_group/info lists them",
      );
    }
    await putChains(ctx, row, which, { ...chainsOf(row, which), [model]: list });
    return { model, fallback_models: list, fallback_type: which };
  },
});

const info = operation({
  id: "fallback.info",
  section: "Router",
  summary: "Show the fallbacks of a model",
  http: [
    { method: "GET", path: "/fallbacks/{model}" },
    { method: "GET", path: "/fallback/{model}" },
  ],
  permission: { resource: "model", action: "read" },
  event: null,
  input: z.object({ ...ORG, model: reference, fallback_type: type }),
  output: chain,
  example: { input: { model: "gpt-4o" }, output: EXAMPLE },
  errors: ["not_found"],
  missing: { what: "fallback", param: "model" },
  target: chainTarget,
  run: async (_, { model, fallback_type: which }, row) => ({
    model,
    fallback_models: chainsOf(row, which)[model] ?? [],
    fallback_type: which,
  }),
});

async function chainTarget(
  ctx: AdminContext,
  { model, fallback_type: which }: { model: string; fallback_type: FallbackType },
) {
  const found = await routedOrg(ctx);
  return found && Object.hasOwn(chainsOf(found.object, which), model) ? found : null;
}

const list = operation({
  id: "fallback.list",
  section: "Router",
  summary: "List all fallbacks",
  http: [
    { method: "GET", path: "/fallbacks" },
    { method: "GET", path: "/fallback" },
  ],
  permission: { resource: "model", action: "read" },
  event: null,
  input: z.object({ ...ORG }),
  output: z.object({ fallbacks: z.array(chain) }),
  example: { input: {}, output: { fallbacks: [EXAMPLE] } },
  errors: ["not_found"],
  async target(ctx) {
    const found = await routedOrg(ctx);
    if (found === null) throw notFound("organization", "organization_id");
    return found;
  },
  run: async (_, __, row) => ({
    fallbacks: FALLBACK_TYPE_NAMES.flatMap((which) =>
      Object.entries(chainsOf(row, which)).map(([model, models]) => ({
        model,
        fallback_models: models,
        fallback_type: which,
      })),
    ),
  }),
});

const remove = operation({
  id: "fallback.delete",
  section: "Router",
  summary: "Take the fallbacks of a model away",
  http: [
    { method: "DELETE", path: "/fallbacks/{model}" },
    { method: "DELETE", path: "/fallback/{model}" },
  ],
  permission: { resource: "model", action: "write" },
  event: "config.updated",
  input: z.object({ ...ORG, model: reference, fallback_type: type }),
  output: z.object({ model: z.string(), fallback_type: z.enum(FALLBACK_TYPE_NAMES) }),
  example: { input: { model: "gpt-4o" }, output: { model: "gpt-4o", fallback_type: "general" } },
  errors: ["not_found"],
  missing: { what: "fallback", param: "model" },
  target: chainTarget,
  async run(ctx, { model, fallback_type: which }, row) {
    const { [model]: _, ...rest } = chainsOf(row, which);
    await putChains(ctx, row, which, rest);
    return { model, fallback_type: which };
  },
});

export const FALLBACKS = [create, info, list, remove];
