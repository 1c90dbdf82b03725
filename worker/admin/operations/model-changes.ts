import * as z from "zod";
import { AUTO_ROUTER } from "../../core/auto-router.ts";
import { GatewayError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { ModelFacts } from "../../core/model.ts";
import type { Statement } from "../../core/ports.ts";
import { deleteCredential, findCredential, type CredentialRow } from "../../store/credentials.ts";
import {
  deleteDeployment,
  findDeployment,
  listDeployments,
  updateDeployment,
  type DeploymentPatch,
  type DeploymentRow,
} from "../../store/deployments.ts";
import { forgetOverbilling } from "../../store/overbilling.ts";
import { isAutoRouter, notARouter, updateRouter } from "../auto-router.ts";
import type { ChangeEvent } from "../change-record.ts";
import { POLICY, requireCapabilities } from "../capabilities.ts";
import type { AdminContext } from "../context.ts";
import { MODEL_ROW } from "../examples.ts";
import { invalidField } from "../faults.ts";
import { checkChanged } from "../health-checks.ts";
import { alias, ORG, reference } from "../fields.ts";
import {
  addressed,
  credentialFor,
  deploymentColumnsOf,
  namedCredential,
  sealingOf,
} from "../model-credential.ts";
import { replacedCredential, secretFields } from "../new-credential.ts";
import { modelFields, modelShape } from "../model-fields.ts";
import {
  checkParams,
  factsOf,
  litellmParams,
  modelInfo,
  placeOf,
  rowOf,
  withoutPrices,
  type LitellmParams,
  type ModelInfo,
  type Place,
} from "../new-model.ts";
import { withOneSecret } from "../secret-parts.ts";
import { inOrg, operation } from "../operation.ts";
import { keepsRouted } from "../policy-publishing.ts";
import { PRICE_FIELD_NAMES, PRICE_FIELDS } from "../prices.ts";
import { changed } from "../rows.ts";
import { fieldsOf } from "./key-changes.ts";

const ID = MODEL_ROW.model_info.id;
const MISSING = { what: "model", param: "model_id" };

async function modelTarget(ctx: AdminContext, id: string | null | undefined) {
  if (id == null) {
    throw new GatewayError("invalid_request", "model_id: name the model.", { param: "model_id" });
  }
  const row = await findDeployment(ctx.deps.db, ctx.orgId, id);
  return row && { ...inOrg(ctx), object: row };
}

type Change = Partial<LitellmParams>;
const change = litellmParams.partial();

/** What a deployment would be made of now: what it was made of, with a change over it; null takes a member away. */
function merged(row: DeploymentRow, params: Change, info: ModelInfo) {
  const { weight, order, tags, litellmParams: kept } = row;
  const before = { ...kept, weight, order, tags } as JsonObject;
  return {
    params: { ...before, ...said(params) } as unknown as LitellmParams,
    info: { ...row.modelInfo, ...said(info) } as ModelInfo,
  };
}

function said<T extends object>(fields: T): Partial<T> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<T>;
}

/** Facts anew; prices that are not spoken of stay, as long as it is the same model. */
function factsAfter(
  row: DeploymentRow,
  place: Place,
  params: LitellmParams,
  info: ModelInfo,
): ModelFacts {
  const same =
    place.provider === row.provider &&
    place.model === row.model &&
    (info.base_model ?? null) === (row.modelInfo.base_model ?? null);
  if (!same || row.facts.prices === undefined) return factsOf(place, params, info);
  const { prices } = row.facts;
  const spoken = PRICE_FIELD_NAMES.some((name) => params[name] != null || info[name] != null);
  if (!spoken) return { ...factsOf(place, params, info), prices };
  const known = Object.fromEntries(
    PRICE_FIELD_NAMES.map((name) => [
      name,
      params[name] ?? info[name] ?? prices[PRICE_FIELDS[name]],
    ]),
  );
  return factsOf(place, { ...params, ...known }, info);
}

/** What becomes of a deployment's credential. */
interface Outcome {
  row: CredentialRow | null;
  statements: Statement[];
  events: ChangeEvent[];
}

const isOwn = (row: CredentialRow | null): row is CredentialRow =>
  row !== null && row.name === null && !row.byok;

async function credentialAfter(
  ctx: AdminContext,
  held: CredentialRow | null,
  params: Change,
  place: Place,
  named: CredentialRow | null,
): Promise<Outcome> {
  const { api_key: secret } = params;
  if (secret === undefined && named === null) return { row: held, statements: [], events: [] };
  const about = { provider: place.provider, host: place.host };
  if (secret != null && named === null && isOwn(held)) {
    const { row, statement } = await replacedCredential(ctx, held, sealingOf(place, secret));
    const event: ChangeEvent = {
      type: "credential.rotated",
      objectId: row.id,
      before: secretFields(held),
      after: secretFields(row),
      data: about,
    };
    return { row, statements: [statement], events: [event] };
  }
  const next = await credentialFor(ctx, params, place, named);
  const statements: Statement[] = [];
  const events: ChangeEvent[] = [];
  if (next?.statement !== undefined) {
    statements.push(next.statement);
    events.push({
      type: "credential.created",
      objectId: next.row.id,
      after: secretFields(next.row),
      data: about,
    });
  }
  const gone = withoutOwn(ctx, held);
  return {
    row: next?.row ?? null,
    statements: [...statements, ...gone.statements],
    events: [...events, ...gone.events],
  };
}

/** A secret that belongs to its deployment alone goes with it. */
function withoutOwn(
  ctx: AdminContext,
  held: CredentialRow | null,
): Pick<Outcome, "statements" | "events"> {
  if (!isOwn(held)) return { statements: [], events: [] };
  ctx.require("credential", "delete", { orgId: ctx.orgId });
  return {
    statements: [deleteCredential(ctx.orgId, held.id)],
    events: [{ type: "credential.deleted", objectId: held.id, before: secretFields(held) }],
  };
}

const update = operation({
  id: "model.update",
  section: "Models",
  summary: "Change a model deployment",
  notes:
    "Absent fields stay, null clears one. A stored secret is bound to where it was saved for: another api_base or provider needs api_key (or litellm_credential_name) in the same call. Prices that are not named stay as long as the model does.",
  http: [
    { method: "POST", path: "/model/update" },
    { method: "PATCH", path: "/model/update" },
    { method: "PATCH", path: "/model/{model_id}/update" },
  ],
  permission: { resource: "model", action: "write" },
  event: "model.updated",
  input: z.object({
    ...ORG,
    model_id: reference.nullish().describe("Id of the deployment; model_info.id does as well"),
    model_name: alias
      .refine((name) => !name.includes("*"), { error: "Must be one name" })
      .nullish(),
    litellm_params: change.nullish(),
    ...POLICY,
    model_info: modelInfo.extend({ id: reference.nullish() }).nullish(),
  }),
  output: modelShape.extend({ model_id: z.string() }),
  example: {
    input: { model_id: ID, litellm_params: { weight: 3 } },
    output: {
      model_id: ID,
      ...MODEL_ROW,
      litellm_params: { ...MODEL_ROW.litellm_params, weight: 3 },
    },
  },
  errors: ["invalid_request", "conflict", "not_found"],
  missing: MISSING,
  target: (ctx, input) => modelTarget(ctx, input.model_id ?? input.model_info?.id),
  async run(ctx, input, row) {
    requireCapabilities(input);
    const { id: _, ...wished } = input.model_info ?? {};
    const asked = input.litellm_params ?? {};
    const renamed = input.model_name != null && input.model_name !== row.group;
    if (renamed) await keepsGroup(ctx, row);
    if (row.provider === AUTO_ROUTER) {
      return updateRouter(ctx, row, {
        name: input.model_name,
        params: said(asked) as JsonObject,
        info: said(wished) as JsonObject,
      });
    }
    if (isAutoRouter(asked)) {
      throw invalidField(["litellm_params", "model"], "A model stays one: add the router anew");
    }
    if (renamed && input.model_name != null) await notARouter(ctx, input.model_name);
    const provider = rowOf(merged(row, asked, wished).params);
    const wish = withOneSecret(asked, provider, ["litellm_params"]);
    const { params, info } = merged(row, wish, wished);
    const named = await namedCredential(ctx, wish);
    const held =
      row.credentialId === null
        ? null
        : await findCredential(ctx.deps.db, ctx.orgId, row.credentialId);
    const place = placeOf(addressed(params, named ?? held), ctx.deps.settings, info.mode);
    checkParams(place, params);
    const moved = place.baseUrl !== row.baseUrl || place.provider !== row.provider;
    if (held !== null && moved && wish.api_key === undefined && named === null) {
      throw new GatewayError(
        "invalid_request",
        "litellm_params.api_base: the stored secret is bound to where it was saved for; send api_key again with another address or provider.",
        { param: "litellm_params.api_base" },
      );
    }
    const credential = await credentialAfter(ctx, held, wish, place, named);
    const after: DeploymentRow = {
      ...row,
      ...deploymentColumnsOf(place, params),
      group: input.model_name ?? row.group,
      credentialId: credential.row?.id ?? null,
      facts: factsAfter(row, place, params, info),
      modelInfo: withoutPrices(info) as JsonObject,
      ...changed(ctx.actor, ctx.now),
    };
    if (credential.row?.name == null) delete after.litellmParams.litellm_credential_name;
    const { orgId: __, id, createdAt: ___, createdBy: ____, ...patch } = after;
    await ctx.commit({
      statements: [
        ...credential.statements,
        updateDeployment(ctx.orgId, row.id, patch satisfies DeploymentPatch),
        forgetOverbilling(ctx.orgId, row.id),
      ],
      touches: ["shared"],
      events: [
        {
          type: "model.updated",
          objectId: row.id,
          before: modelFields(row, held?.lastFour),
          after: modelFields(after, credential.row?.lastFour),
          data: {
            provider: place.provider,
            fields: [
              ...(input.model_name == null ? [] : ["model_name"]),
              ...fieldsOf(wish).map((name) => `litellm_params.${name}`),
              ...fieldsOf(wished).map((name) => `model_info.${name}`),
            ],
          },
        },
        ...credential.events,
      ],
    });
    ctx.deps.waitUntil(checkChanged(ctx.deps, ctx.orgId, (each) => each.id === id));
    return { model_id: id, ...modelFields(after, credential.row?.lastFour) };
  },
});

/** A group that a policy routes to keeps its last deployment. */
async function keepsGroup(ctx: AdminContext, row: DeploymentRow): Promise<void> {
  const { rows } = await listDeployments(ctx.deps.db, ctx.orgId, {
    group: row.group,
    page_size: 2,
  });
  if (rows.length < 2) await keepsRouted(ctx, row.group);
}

const remove = operation({
  id: "model.delete",
  section: "Models",
  summary: "Delete a model deployment",
  notes: "Its own secret goes with it; the group's other deployments go on serving.",
  http: [{ method: "POST", path: "/model/delete" }],
  permission: { resource: "model", action: "delete" },
  event: "model.deleted",
  input: z.object({ ...ORG, id: reference.describe("Id of the deployment") }),
  output: z.object({ id: z.string(), message: z.string() }),
  example: { input: { id: ID }, output: { id: ID, message: "The model was deleted." } },
  errors: ["conflict", "not_found"],
  missing: { what: "model", param: "id" },
  target: (ctx, input) => modelTarget(ctx, input.id),
  async run(ctx, _, row) {
    await keepsGroup(ctx, row);
    const held =
      row.credentialId === null
        ? null
        : await findCredential(ctx.deps.db, ctx.orgId, row.credentialId);
    const gone = withoutOwn(ctx, held);
    const event: ChangeEvent = {
      type: "model.deleted",
      objectId: row.id,
      before: modelFields(row, held?.lastFour),
      data: { provider: row.provider },
    };
    await ctx.commit({
      statements: [
        deleteDeployment(ctx.orgId, row.id),
        forgetOverbilling(ctx.orgId, row.id),
        ...gone.statements,
      ],
      touches: ["shared"],
      events: [event, ...gone.events],
    });
    return { id: row.id, message: "The model was deleted." };
  },
});

export const CHANGED_MODELS = [update, remove];
