import * as z from "zod";
import { findCredential, listCredentials } from "../../store/credentials.ts";
import type { Db } from "../../store/database.ts";
import {
  findDeployment,
  insertDeployment,
  listDeployments,
  type DeploymentRow,
} from "../../store/deployments.ts";
import { readOverbilling } from "../../store/overbilling.ts";
import { createRouter, isAutoRouter, notARouter } from "../auto-router.ts";
import type { ChangeEvent } from "../change-record.ts";
import { POLICY, requireCapabilities } from "../capabilities.ts";
import type { AdminContext } from "../context.ts";
import { MODEL_ROW } from "../examples.ts";
import { alias, ORG, PAGE, reference } from "../fields.ts";
import {
  addressed,
  credentialFor,
  deploymentColumnsOf,
  namedCredential,
} from "../model-credential.ts";
import {
  checkParams,
  factsOf,
  litellmParams,
  modelInfo,
  placeOf,
  rowOf,
  withoutPrices,
} from "../new-model.ts";
import { withOneSecret } from "../secret-parts.ts";
import { factFields, modelFields, modelShape } from "../model-fields.ts";
import { checkNew } from "../health-checks.ts";
import { secretFields } from "../new-credential.ts";
import { inOrg, operation } from "../operation.ts";
import { made } from "../rows.ts";

const create = operation({
  id: "model.new",
  section: "Models",
  summary: "Add a model deployment",
  notes:
    "The same model_name again adds another deployment to its group, and calls are spread over the group. With model auto_router/<name> it adds a named router: each call goes to the route whose utterances are nearest to its last user turn, by words and parts of words, with no call to anything; to the default model where none reaches its score_threshold (0.2). Its models may lie outside of a key's allowlist. Prices replace the catalog's as a whole; without any, the catalog's count.",
  http: [{ method: "POST", path: "/model/new" }],
  permission: { resource: "model", action: "create" },
  event: "model.created",
  input: z.object({
    model_name: alias
      .refine((name) => !name.includes("*"), {
        error: "Must be one name; provider/model strings of known providers resolve by themselves",
      })
      .describe("The name that callers use"),
    litellm_params: litellmParams,
    model_info: modelInfo.nullish(),
    ...POLICY,
    ...ORG,
  }),
  output: modelShape.extend({ model_id: z.string() }),
  example: {
    input: {
      model_name: "gpt-4o-mini",
      litellm_params: { model: "openai/gpt-4o-mini", api_key: "sk-proj-your-own-key", weight: 1 },
    },
    output: { model_id: MODEL_ROW.model_info.id, ...MODEL_ROW },
  },
  errors: ["conflict", "not_found"],
  target: inOrg,
  async run(ctx, input) {
    requireCapabilities(input);
    if (isAutoRouter(input.litellm_params)) return createRouter(ctx, input);
    await notARouter(ctx, input.model_name);
    const provider = rowOf(input.litellm_params);
    const params = withOneSecret(input.litellm_params, provider, ["litellm_params"]);
    const wished = input.model_info ?? {};
    const named = await namedCredential(ctx, params);
    const place = placeOf(addressed(params, named), ctx.deps.settings, wished.mode);
    checkParams(place, params);
    const facts = factsOf(place, params, wished);
    const id = wished.id ?? crypto.randomUUID();
    const provenance = made(ctx.actor, ctx.now);
    const statements = [];
    const credential = await credentialFor(ctx, params, place, named);
    const row: DeploymentRow = {
      orgId: ctx.orgId,
      id,
      group: input.model_name,
      ...deploymentColumnsOf(place, params),
      credentialId: credential?.row.id ?? null,
      facts,
      modelInfo: withoutPrices(wished),
      ...provenance,
    };
    const events: ChangeEvent[] = [
      {
        type: "model.created",
        objectId: id,
        after: modelFields(row, credential?.row.lastFour),
        data: { provider: place.provider },
      },
    ];
    if (credential?.statement !== undefined) {
      statements.push(credential.statement);
      events.push({
        type: "credential.created",
        objectId: credential.row.id,
        after: secretFields(credential.row),
        data: { provider: place.provider, host: place.host },
      });
    }
    statements.push(insertDeployment(ctx.orgId, row));
    await ctx.commit({ statements, touches: ["shared"], events });
    ctx.deps.waitUntil(checkNew(ctx.deps, ctx.orgId, [id]));
    return {
      model_id: id,
      ...modelFields(row, credential?.row.lastFour),
    };
  },
});

/** All deployments of an organization, or one page of them. */
async function deploymentsOf(db: Db, orgId: string, input: { page?: number; page_size?: number }) {
  const paged = input.page !== undefined || input.page_size !== undefined;
  const first = await listDeployments(db, orgId, paged ? input : { page_size: 100 });
  if (paged) return first;
  const rows = [...first.rows];
  for (let page = 2; page <= first.total_pages; page++) {
    rows.push(...(await listDeployments(db, orgId, { page, page_size: 100 })).rows);
  }
  return { ...first, rows, page_size: rows.length, total_pages: 1 };
}

/** The last characters of an organization's secrets, by credential. */
async function lastFours(ctx: AdminContext): Promise<Map<string, string>> {
  const { db } = ctx.deps;
  const known = new Map<string, string>();
  for (let page = 1, pages = 1; page <= pages; page++) {
    const found = await listCredentials(db, ctx.orgId, { page, page_size: 100 });
    pages = found.total_pages;
    for (const each of found.rows) known.set(each.id, each.lastFour);
  }
  return known;
}

const info = operation({
  id: "model.info",
  section: "Models",
  summary: "List model deployments",
  notes:
    "All of them, or one with litellm_model_id, or a page. Secrets are never shown. `model_info.overbilling` stands where a deployment billed beyond its price and token limit: so many times its worst case is set aside for each request, for 30 days or until the model is changed.",
  http: [
    { method: "GET", path: "/model/info" },
    { method: "GET", path: "/v1/model/info" },
    { method: "GET", path: "/v2/model/info" },
  ],
  permission: { resource: "model", action: "read" },
  event: null,
  input: z.object({ ...ORG, ...PAGE, litellm_model_id: reference.optional() }),
  output: z.object({
    data: z.array(modelShape),
    total_count: z.number(),
    current_page: z.number(),
    total_pages: z.number(),
    size: z.number(),
  }),
  example: {
    input: {},
    output: { data: [MODEL_ROW], total_count: 1, current_page: 1, total_pages: 1, size: 1 },
  },
  errors: ["not_found"],
  missing: { what: "model", param: "litellm_model_id" },
  async target(ctx, input) {
    const subject = { orgId: ctx.orgId };
    if (input.litellm_model_id === undefined) return { subject, object: null };
    const row = await findDeployment(ctx.deps.db, ctx.orgId, input.litellm_model_id);
    return row && { subject, object: row };
  },
  async run(ctx, input, one) {
    const { db } = ctx.deps;
    if (one) {
      const secret = one.credentialId && (await findCredential(db, ctx.orgId, one.credentialId));
      const overbilled = await readOverbilling(db, ctx.orgId, ctx.now);
      const lastFour = secret ? secret.lastFour : undefined;
      const data = [modelFields(one, lastFour, overbilled.get(one.id))];
      return { data, total_count: 1, current_page: 1, total_pages: 1, size: 1 };
    }
    const [found, secrets, overbilled] = await Promise.all([
      deploymentsOf(db, ctx.orgId, input),
      lastFours(ctx),
      readOverbilling(db, ctx.orgId, ctx.now),
    ]);
    return {
      data: found.rows.map((row) =>
        modelFields(row, secrets.get(row.credentialId ?? ""), overbilled.get(row.id)),
      ),
      total_count: found.total,
      current_page: found.page,
      total_pages: found.total_pages,
      size: found.page_size,
    };
  },
});

const groupInfo = operation({
  id: "model.groups",
  section: "Models",
  summary: "List model groups",
  notes:
    "One entry per model_name, with the largest windows and highest prices of its deployments; an ability is shown where every deployment has it.",
  http: [{ method: "GET", path: "/model_group/info" }],
  permission: { resource: "model", action: "read" },
  event: null,
  input: z.object({ ...ORG, model_group: reference.optional() }),
  output: z.object({
    data: z.array(z.looseObject({ model_group: z.string(), providers: z.array(z.string()) })),
  }),
  example: {
    input: {},
    output: {
      data: [
        {
          model_group: "gpt-4o-mini",
          providers: ["openai"],
          deployments: 2,
          max_input_tokens: 128000,
          input_cost_per_token: 1.5e-7,
          output_cost_per_token: 6e-7,
        },
      ],
    },
  },
  errors: [],
  target: inOrg,
  async run(ctx, input) {
    const { rows } = await deploymentsOf(ctx.deps.db, ctx.orgId, {});
    const groups = new Map<string, DeploymentRow[]>();
    for (const row of rows) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
    const wanted = [...groups].filter(
      ([name]) => input.model_group === undefined || name === input.model_group,
    );
    return {
      data: wanted.map(([name, members]) => ({
        model_group: name,
        providers: [...new Set(members.map((each) => each.provider))],
        deployments: members.length,
        ...merged(members.map((each) => factFields(each.facts))),
      })),
    };
  },
});

/** Numbers at their highest; an ability only where all have it. */
function merged(all: Record<string, number | boolean>[]): Record<string, number | boolean> {
  const out: Record<string, number | boolean> = {};
  for (const name of new Set(all.flatMap((each) => Object.keys(each)))) {
    const values = all.map((each) => each[name]);
    const numbers = values.filter((value) => typeof value === "number");
    out[name] = numbers.length > 0 ? Math.max(...numbers) : values.every((value) => value === true);
  }
  return out;
}

export const MODELS = [create, info, groupInfo];
