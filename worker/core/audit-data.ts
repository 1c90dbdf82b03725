import * as z from "zod";
import type { AttemptRow, Outcome } from "./account.ts";
import { DECISION, OUTCOMES, RAISE } from "./audit.ts";
import type { AuditEventType } from "./audit.ts";
import { isJsonObject } from "./json.ts";
import type { JsonObject } from "./json.ts";
import { usdText } from "./money.ts";
import { completionTokens, promptTokens } from "./usage.ts";
import type { TokenUsage } from "./usage.ts";

// What stands in the `data` of a record: closed forms, so that content can't slip into the log through a member that
// nobody thought of. A stage that has more to say adds its member here. Names are those that records show.
// Every member may be missing, since a record that is too large is cut.

/** An id, code or name; longer text has no place in a record. */
const word = z.string().max(256);
const words = z.array(word).max(1_000);
const whole = z.int();
const amount = z.strictObject({ cost: whole, requests: whole, tokens: whole });
const usd = z.string().regex(/^-?\d{1,10}(\.\d{1,9})?$/);
const signal = z.union([z.boolean(), z.number(), word, words, z.null()]);

/** Scalars, lists of them, and objects of those: enough for settings and states, too narrow for content. */
const scalar = z.union([z.boolean(), z.number(), word, z.null()]);
const shallow = z.union([scalar, z.array(scalar).max(1_000)]);
const name = z.string().regex(/^[\w.:/-]{1,128}$/);
const facts = z.record(name, z.union([shallow, z.record(name, shallow)]));

const lease = z.strictObject({
  scope: z.strictObject({ kind: word, id: z.string().max(512), meter: word.optional() }),
  leaseId: word,
  windowId: word,
  revision: whole,
  reserved: amount,
  single: z.literal(true).optional(),
});

const dropped = z.strictObject({ deployment: word, reason: word });

/** The version of what decides: policies, order of deployments. Raised whenever a recorded decision comes out otherwise. */
export const ENGINE = "0.2.0";

/**
 * What a candidate was judged by, in the order of its `state`: a list, so that 40 candidates fit into a record. A new
 * figure goes to the end. Latency in milliseconds, estimates in nano-dollars, requests, tokens, rpm and tpm by minute.
 */
export const CANDIDATE_STATE = [
  "order",
  "weight",
  "health",
  "latency_ms",
  "in_flight",
  "estimate_nano_usd",
  "proven",
  "requests",
  "tokens",
  "synced_requests",
  "synced_tokens",
  "strategy",
  "rpm",
  "tpm",
  "link",
  "when",
  "announced",
] as const;

/** One deployment as it stood when the choice was made: what a replay chooses among. */
const candidate = z.strictObject({
  deployment: word,
  group: word.optional(),
  provider: word.optional(),
  region: word.optional(),
  state: z.array(scalar).max(32).optional(),
  /** What took it out of the plan, and why. */
  dropped_by: word.optional(),
  dropped: word.optional(),
});

/** A message by what does not tell it: who said it, its size and a hash under the organization's key. */
const input = z.strictObject({
  role: z.enum(["system", "developer", "user", "assistant", "tool"]),
  bytes: whole,
  hash: z.string().regex(/^[\w-]{43}$/),
  detected: z.record(name, z.union([z.boolean(), z.array(name).max(100), z.null()])).optional(),
});

const policyPart = z.strictObject({
  scope: word,
  version: whole,
  hash: word,
  rule: word.nullable(),
  constraints: words,
});

/** What a policy read and decided, on decisions and on refusals alike. */
const judged = {
  signals: z
    .strictObject({
      values: z.record(name, signal),
      unknown: words,
      /** Outcomes of the predicates over ids, headers and metadata, whose values are not recorded. */
      predicates: z.record(word, z.boolean()),
      /** Only those that held are listed. */
      onlyHeld: z.literal(true).optional(),
      /** Rules and constraints whose condition came to no result. */
      failed: words.optional(),
    })
    .optional(),
  policy: z.array(policyPart).max(16).optional(),
  policy_version: whole.optional(),
  policy_hash: word.optional(),
  rule_id: word.nullish(),
  /** Where the policy sent the request, in place of the model that was asked for. */
  route: word.optional(),
  guardrail_id: word.optional(),
  prompt_id: word.optional(),
  memory_id: word.optional(),
  token_saving_plan_id: word.optional(),
  /** How long this record is kept at least, in days, by the rule that matched. */
  retention_days: whole.optional(),
  /** The newest messages, where the rule that matched logs inputs; `total` counts all. */
  inputs: z
    .strictObject({ key_version: whole, total: whole, messages: z.array(input).max(100) })
    .optional(),
  candidates: z.array(candidate).max(1_000).optional(),
  dropped: z.array(dropped).max(1_000).optional(),
  /** The routing settings in force, merged. */
  settings: facts.optional(),
  strategy: word.optional(),
  seed: z.number().optional(),
  /** What tied the conversation to its deployment; null = the seed alone decided. */
  affinity: z.number().nullish(),
  /** A resting deployment that was let through, since nothing else was left. */
  probed: word.optional(),
  /** A budget was used up, and a cheaper group took the place of the one that was due. */
  throttled: z.literal(true).optional(),
  /** Deployments in the order in which they are tried; none in a refusal. */
  plan: words.optional(),
  /** Fallback groups that were left out, and why. */
  skipped: z
    .array(z.strictObject({ group: word, reason: word }))
    .max(100)
    .optional(),
  /** The version of the engine that decided; a replay needs the same. */
  engine: word.optional(),
  /** State of budgets and limits as the decision read it (PLATFORM 25). */
  budget: facts.optional(),
  /** What the smart router saw and weighed. */
  smart: facts.optional(),
  /** What a named router made of the request. */
  auto: facts.optional(),
} as const;

const asked = {
  model: word.optional(),
  endpoint: word.optional(),
  stream: z.boolean().optional(),
  customer_id: word.optional(),
  user_id: word.optional(),
  key_id: word.optional(),
  cut: words.optional(),
} as const;

const decision = z.strictObject({
  ...asked,
  ...judged,
  /** What it takes to charge and end the request if its isolate should not live to do it. */
  deadline: whole.optional(),
  team_id: word.optional(),
  group: word.optional(),
  leases: z.array(lease).max(256).optional(),
});

/** Everything that a request holds since a further attempt wanted more. */
const raise = z.strictObject({
  deployment: word,
  group: word,
  /** Attempts before it. */
  attempts: whole,
  leases: z.array(lease).max(256).optional(),
  cut: words.optional(),
});

const refusal = z.strictObject({
  ...asked,
  ...judged,
  error: word.optional(),
  status: whole.optional(),
  param: word.nullish(),
});

const attempt = z.strictObject({
  deployment: word,
  provider: word.optional(),
  model: word.optional(),
  status: whole,
  error: word.nullable(),
  /** Nothing was sent to the provider. */
  sent: z.literal(false).optional(),
  cost_usd: usd,
  duration_ms: z.number(),
  /** After a failure: the deployment that was tried next, or why none was; and what was waited before. */
  next: word.optional(),
  wait_ms: z.number().optional(),
  time_to_first_token_ms: z.number().nullish(),
  tokens_input: whole.optional(),
  tokens_output: whole.optional(),
});

const outcome = z.strictObject({
  ...asked,
  status: whole.optional(),
  provider: word.nullish(),
  deployment: word.nullish(),
  tokens_input: whole.optional(),
  tokens_output: whole.optional(),
  usage_estimated: z.boolean().optional(),
  cost_usd: usd.optional(),
  latency_ms: z.number().optional(),
  time_to_first_token_ms: z.number().nullish(),
  fallback_count: whole.optional(),
  attempts: z.array(attempt).max(1_000).optional(),
  estimated: z.boolean().optional(),
  overrun_usd: usd.optional(),
  /** Event id of the outcome that this one takes the place of. */
  corrects: word.optional(),
  cache_hit: word.nullish(),
  guardrail_violations: words.optional(),
});

const json = z.custom<JsonObject>(isJsonObject);

/** An administrative change, and beside it what the event itself has to say: ids, counts and codes. */
const change = z
  .object({
    object_id: word.optional(),
    table_name: word.optional(),
    before_value: json.nullish(),
    updated_values: json.nullish(),
    changed_by: word.nullish(),
    changed_by_api_key: word.nullish(),
  })
  .catchall(z.union([shallow, z.record(name, shallow)]));

/** A provider refused a deployment's credential, or has no quota left for it; told once in its window. */
const refusedCredential = z.strictObject({
  deployment: word,
  group: word,
  provider: word,
  model: word,
  /** The provider's; 401 also where the credential was found gone. */
  status: whole,
  /** The provider's own name for it. */
  code: z
    .string()
    .regex(/^[\w.-]{1,64}$/)
    .optional(),
  window_start: z.iso.datetime(),
  window_end: z.iso.datetime(),
});

export type DecisionData = z.input<typeof decision>;
export type RaiseData = z.input<typeof raise>;
export type RefusalData = z.input<typeof refusal>;
export type OutcomeData = z.input<typeof outcome>;
export type RefusedCredentialData = z.input<typeof refusedCredential>;

/** The form of a record's `data`, by the record's type. */
export function dataSchema(type: AuditEventType): z.ZodType {
  if (type === DECISION) return decision;
  if (type === RAISE) return raise;
  if (type === "request.blocked") return refusal;
  if (type === "credential.refused") return refusedCredential;
  return OUTCOMES.has(type) ? outcome : change;
}

const OUTCOME_EVENTS: Readonly<Record<Outcome, AuditEventType>> = {
  success: "request.completed",
  cancelled: "request.cancelled",
  failure: "request.failed",
  refused: "request.failed",
};

export function outcomeType(ended: Outcome): AuditEventType {
  return OUTCOME_EVENTS[ended];
}

/** How a request ended, as far as the path and the ledger know it alike. */
export interface Ended {
  status: number;
  usage: TokenUsage;
  /** What was charged. */
  cost: number;
  latencyMs: number;
  timeToFirstTokenMs: number | null;
  attempts: readonly AttemptRow[];
  /** Moves to another model group, as `x-routero-attempted-fallbacks` told them. */
  fallbacks: number;
}

/** What every outcome record says: ids, counts and codes. */
export function outcomeData(ended: Ended): OutcomeData {
  const { attempts, usage } = ended;
  const last = attempts.at(-1);
  return {
    status: ended.status,
    provider: last?.provider ?? null,
    deployment: last?.deployment ?? null,
    ...(last !== undefined && { model: last.model.slice(0, 256) }),
    tokens_input: promptTokens(usage),
    tokens_output: completionTokens(usage),
    usage_estimated: usage.estimated,
    cost_usd: usdText(ended.cost),
    latency_ms: ended.latencyMs,
    time_to_first_token_ms: ended.timeToFirstTokenMs,
    fallback_count: ended.fallbacks,
    attempts: attempts.map((row) => ({
      deployment: row.deployment,
      provider: row.provider,
      status: row.status,
      error: row.error ?? null,
      cost_usd: usdText(row.cost),
      duration_ms: row.durationMs,
      ...(row.next !== undefined && { next: row.next }),
      ...(row.waitMs !== undefined && { wait_ms: row.waitMs }),
      ...(row.sent === false && { sent: false as const }),
    })),
  };
}
