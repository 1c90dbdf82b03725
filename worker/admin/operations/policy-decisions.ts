import * as z from "zod";
import { GatewayError } from "../../core/errors.ts";
import type { Identity } from "../../core/call.ts";
import { isJsonObject, type Json, type JsonObject } from "../../core/json.ts";
import type { SignalValue } from "../../core/policy.ts";
import type { Action, Principal, Resource, Role } from "../../core/principal.ts";
import { checkDocument } from "../../policy/checked.ts";
import { signalNamed } from "../../policy/operands.ts";
import { asRead, isTooLong, MOST_TEXT, MOST_TEXTS } from "../../policy/signals.ts";
import { ROLE_GRANTS } from "../../policy/authz/roles.ts";
import { explainRecorded } from "../../routing/smart/explain.ts";
import { readShared } from "../../store/org-rows.ts";
import type { AdminContext } from "../context.ts";
import { ORG, reference } from "../fields.ts";
import { invalidField } from "../faults.ts";
import { inOrg, notFound, operation } from "../operation.ts";
import { explainRecord, explainRequest } from "../policy-decisions.ts";
import { knownIn, refusedDocument, scopeOf } from "../policy-publishing.ts";
import { simulateWindow } from "../policy-simulation.ts";

const value = z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())]);
const json = z.unknown() as unknown as z.ZodType<Json, Json>;

const explanation = z.object({
  decision: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe("Null where no policy is in force"),
  signals: z.record(z.string(), z.unknown()).describe("Every signal that was read, with its value"),
  documents: z
    .array(z.record(z.string(), z.unknown()))
    .describe("Rules in order, up to the one that matched"),
  smart: z
    .record(z.string(), z.unknown())
    .optional()
    .describe(
      "Where the smart router chose: what it saw, its candidates with quality and cost, why",
    ),
  auto: z
    .record(z.string(), z.unknown())
    .optional()
    .describe("What a named router made of the request"),
  refused: z
    .object({ code: z.string(), message: z.string() })
    .optional()
    .describe("With request: what it would be refused with before a model is chosen"),
});

const EXPLAINED = {
  decision: { rule: "eu", route: "eu/frankfurt", version: 18, block: null },
  signals: { "identity.region": "eu" },
  documents: [
    {
      scope: "org",
      version: 18,
      hash: "sha256:0f6a…",
      rules: [{ id: "eu", line: 2, when: 'identity.region == "eu"', answer: "yes", matched: true }],
      constraints: [],
      predicates: [{ text: 'identity.region == "eu"', answer: "yes" }],
    },
  ],
};

const request = z.object({
  model: z.string().max(256),
  messages: z.array(json).max(1_000).optional(),
  tools: z.array(json).max(500).optional(),
  metadata: z.record(z.string(), json).optional(),
  max_tokens: z.int().min(1).max(10_000_000).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  customer_id: z.string().max(256).optional(),
  signals: z
    .record(z.string(), value)
    .optional()
    .describe("In place of what the request would say"),
  at: z.iso.datetime().optional().describe("The instant; now if absent"),
});

const explain = operation({
  id: "policy.explain",
  section: "Policies",
  summary: "Explain a decision",
  notes:
    "With call_id (x-routero-call-id of an answer): the rule path and signals of a decision that was made, by the versions that made it. With request: what policies and routers would decide now for the calling key, without calling a model; budgets, health and what was learned as this isolate knows of them. Values of ids, headers and metadata are not on record; the predicates over them are.",
  http: [{ method: "POST", path: "/policy/explain" }],
  permission: { resource: "policy", action: "read" },
  event: null,
  input: z.object({ ...ORG, call_id: reference.nullish(), request: request.nullish() }),
  output: explanation,
  example: {
    input: { request: { model: "gpt-4o", headers: { "x-routero-region": "eu" } } },
    output: EXPLAINED,
  },
  errors: ["not_found"],
  target: inOrg,
  async run(ctx, input) {
    const { call_id: callId, request: asked } = input;
    if ((callId == null) === (asked == null)) {
      throw new GatewayError("invalid_request", "Send either call_id or request.", {
        param: "call_id",
      });
    }
    if (callId != null) {
      const { records } = await ctx.deps.auditLog(ctx.orgId).list({ requestId: callId, limit: 20 });
      const record = records.find(
        ({ event_type: type }) => type === "request.routed" || type === "request.blocked",
      );
      // Who may not read the log sees the decisions about its own key.
      const handle = record?.["user_key_hash"];
      const own = typeof handle === "string" && handle === ctx.principal.keyHandle;
      if (record === undefined || !(own || ctx.mayAll("audit", "read")))
        throw notFound("call", "call_id");
      const found = await explainRecord(ctx, record);
      const smart = explainRecorded(record["smart"]);
      const { auto } = record;
      const router = isJsonObject(auto) ? auto : null;
      if (found === null && smart === null && router === null) {
        throw notFound("decision by a policy or router for this call", "call_id");
      }
      const none = { decision: null, signals: {}, documents: [] };
      const routed = { ...(smart && { smart }), ...(router && { auto: router }) };
      return { ...(found ?? none), ...routed } as unknown as z.input<typeof explanation>;
    }
    const identity = await identityOf(ctx);
    const found = await explainRequest(ctx, identity, {
      model: asked?.model ?? "",
      messages: asked?.messages ?? [],
      tools: asked?.tools ?? [],
      metadata: (asked?.metadata ?? {}) as JsonObject,
      headers: asked?.headers ?? {},
      customerId: asked?.customer_id,
      maxTokens: asked?.max_tokens,
      signals: signalsIn((asked?.signals ?? {}) as Record<string, SignalValue>),
      at: asked?.at === undefined ? ctx.now : Date.parse(asked.at),
    });
    return found as unknown as z.input<typeof explanation>;
  },
});

/** Signals by their full names, in the case in which they are read; a misspelt one would stand for nothing. */
function signalsIn(given: Record<string, SignalValue>): Record<string, SignalValue> {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const found = signalNamed(name);
      if ("fault" in found)
        throw invalidField(["request", "signals", name.slice(0, 64)], found.fault);
      if (isTooLong(value))
        throw invalidField(
          ["request", "signals", name.slice(0, 64)],
          `a policy sees ${MOST_TEXT} characters of a text at most, and ${MOST_TEXTS} of a list`,
        );
      return [found.name, asRead(found.facts, value)];
    }),
  );
}

/** The caller as a caller of models; the master key acts for the organization alone. */
async function identityOf(ctx: AdminContext): Promise<Identity> {
  if (ctx.caller.identity !== null) return ctx.caller.identity;
  const shared = await readShared(ctx.deps.db, ctx.orgId);
  if (shared === null) throw notFound("organization", "organization_id");
  return { principal: ctx.principal, shared, key: null, team: null, user: null };
}

const ended = z.object({
  rule: z.string().nullable(),
  route: z.string().nullable(),
  blocked: z
    .boolean()
    .describe(
      "By the rule or, where there is a route, since constraints leave nothing that may serve",
    ),
});

const simulate = operation({
  id: "policy.simulate",
  section: "Policies",
  summary: "Try a policy on recorded decisions",
  notes:
    "Replays the decisions of the last hours (24h if absent) from their recorded signals, never from content, under another document: which rules, routes and blocks would change, and what it would cost. What would need a signal that was not recorded is counted as undetermined.",
  http: [{ method: "POST", path: "/policy/simulate" }],
  permission: { resource: "policy", action: "read" },
  event: null,
  text: "yaml",
  orgFrom: "workspace",
  input: z.object({
    workspace: reference.nullish().describe("The organization: its id, ws_<id> or alias"),
    yaml: z.string().max(600_000, "At most 600,000 characters"),
    team: reference.nullish(),
    file: z.string().max(200).nullish().describe("Its name in faults"),
    window: z
      .string()
      .regex(/^\d{1,3}[hd]$/, "Hours or days, as 24h")
      .nullish(),
  }),
  output: z.object({
    from: z.string(),
    to: z.string(),
    decisions: z.number(),
    unasked: z
      .number()
      .describe("Requests that were refused before any policy was asked; not among the decisions"),
    cut: z.boolean().describe("True where the window holds more decisions than are looked at"),
    changed: z.number(),
    undetermined: z.number(),
    missing: z.array(z.string()).describe("Signals that were not recorded, most often first"),
    changes: z.array(
      z.object({ from: ended, to: ended, requests: z.number(), example: z.string() }),
    ),
    blocks: z.object({ before: z.number(), after: z.number() }),
    cost_usd: z.object({
      before: z.number(),
      after: z.number(),
      requests: z.number().describe("Charged requests whose price is known in both"),
    }),
  }),
  example: {
    input: { workspace: "acme", yaml: "rules: [{ route: smart/cheap }]", window: "24h" },
    output: {
      from: "2026-11-25T12:00:00.000Z",
      to: "2026-11-26T12:00:00.000Z",
      decisions: 1200,
      unasked: 4,
      cut: false,
      changed: 300,
      undetermined: 0,
      missing: [],
      changes: [
        {
          from: { rule: "rule-1", route: "smart/balanced", blocked: false },
          to: { rule: "rule-1", route: "smart/cheap", blocked: false },
          requests: 300,
          example: "req_0VAzVnBmUX6n4dLpq8sRtG",
        },
      ],
      blocks: { before: 0, after: 0 },
      cost_usd: { before: 3.2, after: 1.1, requests: 300 },
    },
  },
  errors: [],
  target: inOrg,
  async run(ctx, input) {
    // Single decisions are in the answer: who may read the log may read them here.
    ctx.require("audit", "read", { orgId: ctx.orgId });
    const scope = await scopeOf(ctx, input.team);
    const known = await knownIn(ctx, scope);
    const { plan, faults } = checkDocument(known, input.yaml, null, input.file ?? undefined);
    if (plan === null) throw refusedDocument(faults);
    const wanted = input.window ?? "24h";
    const hours = Number.parseInt(wanted, 10) * (wanted.endsWith("d") ? 24 : 1);
    if (hours === 0 || hours > 7 * 24) throw invalidField(["window"], "1h to 7d");
    const { from, to, cost, ...found } = await simulateWindow(
      ctx,
      { scope, plan },
      ctx.now - hours * 3_600_000,
      ctx.now + 1,
    );
    return {
      ...found,
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      cost_usd: cost,
    };
  },
});

const ROLES = Object.keys(ROLE_GRANTS) as [Role, ...Role[]];
const RESOURCES = [
  ...new Set(Object.values(ROLE_GRANTS).flatMap((grants) => Object.keys(grants))),
] as [Resource, ...Resource[]];
const ACTIONS = ["call", "read", "write", "create", "delete"] as const satisfies Action[];

const authorization = operation({
  id: "authz.check",
  section: "Policies",
  summary: "Ask whether a principal may do something",
  notes: "Answers from the table that every call is held to; nothing is done.",
  http: [{ method: "POST", path: "/authz/check" }],
  permission: { resource: "audit", action: "read" },
  event: null,
  input: z.object({
    ...ORG,
    principal: z.object({
      role: z.enum(ROLES),
      key_type: z.enum(["default", "llm_api", "management", "read_only"]).optional(),
      team_id: z.string().max(128).optional(),
      user_id: z.string().max(128).optional(),
    }),
    resource: z.object({
      kind: z.enum(RESOURCES),
      team_id: z.string().max(128).optional(),
      user_id: z.string().max(128).optional(),
    }),
    actions: z.array(z.enum(ACTIONS)).min(1).max(10),
  }),
  output: z.object({
    actions: z.record(
      z.string(),
      z.object({
        effect: z.enum(["EFFECT_ALLOW", "EFFECT_DENY"]),
        policy: z.string(),
        rule: z.string(),
      }),
    ),
  }),
  example: {
    input: {
      principal: { role: "developer" },
      resource: { kind: "policy" },
      actions: ["read", "write"],
    },
    output: {
      actions: {
        read: { effect: "EFFECT_ALLOW", policy: "roles", rule: "developer policy:read org" },
        write: {
          effect: "EFFECT_DENY",
          policy: "roles",
          rule: "the role developer may not do policy:write",
        },
      },
    },
  },
  errors: [],
  target: inOrg,
  async run(ctx, input) {
    const { principal: named, resource } = input;
    const principal: Principal = {
      kind: "key",
      orgId: ctx.orgId,
      keyType: named.key_type ?? "default",
      role: named.role,
      ...(named.team_id !== undefined && { teamId: named.team_id }),
      ...(named.user_id !== undefined && { userId: named.user_id }),
    };
    const subject = {
      orgId: ctx.orgId,
      ...(resource.team_id !== undefined && { teamId: resource.team_id }),
      ...(resource.user_id !== undefined && { userId: resource.user_id }),
    };
    const answers = input.actions.map((action) => {
      const { allowed, reason } = ctx.deps.authorizer.check(
        principal,
        resource.kind,
        action,
        subject,
      );
      const effect = allowed ? ("EFFECT_ALLOW" as const) : ("EFFECT_DENY" as const);
      return [action, { effect, policy: "roles", rule: reason }] as const;
    });
    return { actions: Object.fromEntries(answers) };
  },
});

export const POLICY_DECISIONS = [explain, simulate, authorization];
