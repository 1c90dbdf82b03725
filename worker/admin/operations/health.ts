import * as z from "zod";
import { GatewayError } from "../../core/errors.ts";
import type { CellView, HealthCheck } from "../../core/health.ts";
import type { Deployment } from "../../core/model.ts";
import { readShared } from "../../store/org-rows.ts";
import type { AdminContext } from "../context.ts";
import { invalidField } from "../faults.ts";
import { ORG, reference } from "../fields.ts";
import { checkAll, checkOne } from "../health-checks.ts";
import { addressed, namedCredential } from "../model-credential.ts";
import { factsOf, litellmParams, modelInfo, placeOf } from "../new-model.ts";
import { inOrg, notFound, operation } from "../operation.ts";
import { checkDeployment } from "../../providers/check.ts";
import { credentialOf } from "../../routing/walk.ts";

const MOST_CHECKED = 100;

const endpoint = z.object({
  model_id: z.string(),
  model_name: z.string(),
  provider: z.string(),
  model: z.string(),
  api_base: z.string(),
  status: z.enum(["healthy", "unhealthy", "unknown"]),
  error: z.string().nullable(),
  latency_ms: z.number(),
  checked_at: z.string(),
});

const ENDPOINT = {
  model_id: "c41d7f0e-2b5a-4e63-9d8c-7a6b5c4d3e2f",
  model_name: "gpt-4o-mini",
  provider: "openai",
  model: "gpt-4o-mini",
  api_base: "https://api.openai.com/v1",
  status: "healthy" as const,
  error: null,
  latency_ms: 143,
  checked_at: "2026-11-26T12:00:00.000Z",
};

function shown(check: HealthCheck, deployment: Deployment | undefined): z.input<typeof endpoint> {
  return {
    model_id: check.deployment,
    model_name: deployment?.group ?? "",
    provider: deployment?.provider ?? "",
    model: deployment?.model ?? "",
    api_base: deployment?.baseUrl ?? "",
    status: check.result,
    error: check.reason,
    latency_ms: check.latency,
    checked_at: new Date(check.at).toISOString(),
  };
}

async function sharedOf(ctx: AdminContext) {
  const shared = await readShared(ctx.deps.db, ctx.orgId);
  if (shared === null) throw notFound("organization", "organization_id");
  return shared;
}

const now = operation({
  id: "health.check",
  section: "Health",
  summary: "Check the deployments now",
  notes:
    "Each is asked for its list of models, which costs nothing; `unknown` = it has none. What is found counts for routing. At most 100 at a time; name one with model_id or a group with model.",
  http: [{ method: "GET", path: "/health" }],
  permission: { resource: "credential", action: "read" },
  event: null,
  input: z.object({ ...ORG, model: reference.optional(), model_id: reference.optional() }),
  output: z.object({
    healthy_endpoints: z.array(endpoint),
    unhealthy_endpoints: z.array(endpoint),
    healthy_count: z.number(),
    unhealthy_count: z.number(),
  }),
  example: {
    input: {},
    output: {
      healthy_endpoints: [ENDPOINT],
      unhealthy_endpoints: [],
      healthy_count: 1,
      unhealthy_count: 0,
    },
  },
  errors: ["not_found"],
  target: inOrg,
  async run(ctx, { model, model_id: id }) {
    const shared = await sharedOf(ctx);
    const wanted = shared.deployments
      .filter((each) => model === undefined || each.group === model)
      .filter((each) => id === undefined || each.id === id)
      .slice(0, MOST_CHECKED);
    // Who asks for what is not there must not read that nothing of it is ill.
    const asked = id === undefined ? model : id;
    if (wanted.length === 0 && asked !== undefined) {
      throw notFound("model", id === undefined ? "model" : "model_id");
    }
    const byId = new Map(wanted.map((each) => [each.id, each]));
    const checks = await checkAll(ctx.deps, shared, wanted);
    const rows = checks
      .map((check) => shown(check, byId.get(check.deployment)))
      .toSorted((a, b) => (a.model_id < b.model_id ? -1 : 1));
    const bad = rows.filter((row) => row.status === "unhealthy");
    const good = rows.filter((row) => row.status !== "unhealthy");
    return {
      healthy_endpoints: good,
      unhealthy_endpoints: bad,
      healthy_count: good.length,
      unhealthy_count: bad.length,
    };
  },
});

const state = z.object({
  state: z.enum(["closed", "open", "half_open"]),
  retry_in_s: z.number().nullable(),
  reason: z.string().nullable(),
  proven: z.boolean(),
  error_rate: z.number(),
  latency_p50_ms: z.number().nullable(),
  in_flight: z.number(),
  requests_this_minute: z.number(),
  tokens_this_minute: z.number(),
});

/** A deployment is out with its credential as well: whichever stays out longer is told. */
function stateOf(view: CellView, credential?: CellView): z.input<typeof state> {
  const worse = credential !== undefined && (credential.openFor ?? -1) > (view.openFor ?? -1);
  const { openFor, reason } = worse ? credential : view;
  return {
    state: openFor === null ? "closed" : openFor > 0 ? "open" : "half_open",
    retry_in_s: openFor === null ? null : Math.ceil(openFor / 1000),
    reason,
    proven: view.proven,
    error_rate: Math.round(view.errorRate * 1000) / 1000,
    latency_p50_ms: view.latency,
    in_flight: view.inFlight,
    requests_this_minute: view.requests,
    tokens_this_minute: view.tokens,
  };
}

const latest = operation({
  id: "health.latest",
  section: "Health",
  summary: "Show how the deployments stand",
  notes:
    "The breaker of each as all isolates share it (a refused credential's where that is out longer), its last minute, and its last check. A deployment that nothing is known of yet is left out of `states`.",
  http: [{ method: "GET", path: "/health/latest" }],
  permission: { resource: "model", action: "read" },
  event: null,
  input: z.object({ ...ORG }),
  output: z.object({
    latest_health_checks: z.record(z.string(), endpoint),
    states: z.record(z.string(), state),
    total_models: z.number(),
  }),
  example: {
    input: {},
    output: {
      latest_health_checks: { [ENDPOINT.model_id]: ENDPOINT },
      states: {
        [ENDPOINT.model_id]: {
          state: "closed",
          retry_in_s: null,
          reason: null,
          proven: true,
          error_rate: 0,
          latency_p50_ms: 640,
          in_flight: 2,
          requests_this_minute: 31,
          tokens_this_minute: 20412,
        },
      },
      total_models: 1,
    },
  },
  errors: ["not_found"],
  target: inOrg,
  async run(ctx) {
    const shared = await sharedOf(ctx);
    const object = ctx.deps.healthObject(ctx.orgId);
    const [views, checks] = await Promise.all([
      object.view(),
      Promise.all(
        shared.deployments
          .slice(0, MOST_CHECKED)
          .map((each) => object.history({ deployment: each.id, limit: 1 })),
      ),
    ]);
    const byId = new Map(shared.deployments.map((each) => [each.id, each]));
    const cells = new Map(views.map((view) => [view.cell, view]));
    const states = shared.deployments.flatMap((each) => {
      const own = cells.get(each.id);
      const credential = cells.get(credentialOf(each));
      const known = own ?? (credential?.openFor == null ? undefined : credential);
      return known === undefined ? [] : [[each.id, stateOf(known, credential)] as const];
    });
    return {
      latest_health_checks: Object.fromEntries(
        checks.flat().map((check) => [check.deployment, shown(check, byId.get(check.deployment))]),
      ),
      states: Object.fromEntries(states),
      total_models: shared.deployments.length,
    };
  },
});

const history = operation({
  id: "health.history",
  section: "Health",
  summary: "Show past checks",
  notes: "Newest first; of each deployment the last 1,440 are kept.",
  http: [{ method: "GET", path: "/health/history" }],
  permission: { resource: "model", action: "read" },
  event: null,
  input: z.object({
    ...ORG,
    model_id: reference.optional(),
    limit: z.coerce.number().int().min(1).max(1_000).default(100),
  }),
  output: z.object({ health_checks: z.array(endpoint), total: z.number() }),
  example: { input: {}, output: { health_checks: [ENDPOINT], total: 1 } },
  errors: ["not_found"],
  target: inOrg,
  async run(ctx, { model_id: deployment, limit }) {
    const shared = await sharedOf(ctx);
    const byId = new Map(shared.deployments.map((each) => [each.id, each]));
    const request = { limit, ...(deployment !== undefined && { deployment }) };
    const checks = await ctx.deps.healthObject(ctx.orgId).history(request);
    return {
      health_checks: checks.map((check) => shown(check, byId.get(check.deployment))),
      total: checks.length,
    };
  },
});

const connection = operation({
  id: "health.test_connection",
  section: "Health",
  summary: "Try a deployment before it is added",
  notes:
    "Takes what POST /model/new takes and keeps nothing. A stored credential is sent to the host that it was saved for alone: another api_base needs the api_key itself.",
  http: [{ method: "POST", path: "/health/test_connection" }],
  permission: { resource: "credential", action: "read" },
  event: null,
  input: z.object({
    ...ORG,
    model_id: reference.optional().describe("A deployment that is there already"),
    litellm_params: litellmParams.optional(),
    model_info: modelInfo.nullish(),
  }),
  output: z.object({
    status: z.enum(["success", "error", "unknown"]),
    message: z.string().nullable(),
    latency_ms: z.number(),
  }),
  example: {
    input: { litellm_params: { model: "openai/gpt-4o-mini", api_key: "sk-proj-your-own-key" } },
    output: { status: "success", message: null, latency_ms: 143 },
  },
  errors: ["not_found"],
  target: inOrg,
  async run(ctx, input) {
    const check = await tried(ctx, input);
    const words = { healthy: "success", unhealthy: "error", unknown: "unknown" } as const;
    return {
      status: words[check.result],
      message: check.reason,
      latency_ms: check.latency,
    };
  },
});

async function tried(
  ctx: AdminContext,
  input: {
    model_id?: string | undefined;
    litellm_params?: z.output<typeof litellmParams> | undefined;
    model_info?: z.output<typeof modelInfo> | null | undefined;
  },
): Promise<HealthCheck> {
  const { deps, orgId } = ctx;
  const { litellm_params: params, model_id: id } = input;
  if (params === undefined) {
    if (id === undefined) throw invalidField(["litellm_params"], "Field required");
    const shared = await sharedOf(ctx);
    const deployment = shared.deployments.find((each) => each.id === id);
    if (deployment === undefined) throw notFound("model", "model_id");
    return checkOne(deps, shared, deployment);
  }
  const named = await namedCredential(ctx, params);
  const place = placeOf(addressed(params, named), deps.settings);
  const { provider, model, protocol, baseUrl, host } = place;
  if (named !== null && params.api_key == null && named.host !== host) {
    throw new GatewayError(
      "invalid_request",
      "litellm_params.api_base: the stored credential belongs to another host; send its api_key to try it there.",
      { param: "litellm_params.api_base" },
    );
  }
  const stored =
    named === null
      ? undefined
      : (await sharedOf(ctx)).credentials.find((each) => each.id === named.id);
  const secret = params.api_key ?? (stored ? await deps.vault.open(orgId, stored) : null);
  const facts = factsOf(place, params, input.model_info ?? {});
  const deployment: Deployment = {
    id: "test",
    group: "test",
    provider,
    model,
    protocol,
    baseUrl,
    weight: 1,
    order: 0,
    tags: [],
    facts,
  };
  return checkDeployment(deps, deployment, secret);
}

export const HEALTH = [now, latest, history, connection];
