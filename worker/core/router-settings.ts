import * as z from "zod";
import type { FaultClass } from "./fault.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import { nanoUsd } from "./money.ts";
import { RESIDENCY_CLASSES } from "./residency.ts";
import { STRATEGIES, STRATEGY_ALIASES } from "./routing.ts";
import type { Chains, OrgRouting, RoutingLayer, Strategy } from "./routing.ts";

// Router settings as administrators write them: the names of LiteLLM's `router_settings` and ours, in seconds and US
// dollars. What is kept is this form, read; the path gets it as layers.

/** Every name of a strategy that is accepted, documented ones first. */
export const STRATEGY_NAMES = [...STRATEGIES, ...Object.keys(STRATEGY_ALIASES)];

/** The strategy of either spelling; null for a name that is none. */
export function strategyNamed(name: string): Strategy | null {
  const known = STRATEGIES.find((each) => each === name);
  return known ?? (Object.hasOwn(STRATEGY_ALIASES, name) ? (STRATEGY_ALIASES[name] ?? null) : null);
}

const MOST_FALLBACKS = 5;
const name = z.string().min(1, "Must not be empty").max(256, "At most 256 characters");
const seconds = (most: number) =>
  z.number().min(0, "Must not be negative").max(most, `At most ${most} seconds`);
const positive = (most: number) =>
  z.number().gt(0, "Must be above 0").max(most, `At most ${most} seconds`);
const retries = z.int().min(0, "Must not be negative").max(20, "At most 20");

/** A chain: at most 5 groups. */
export const fallbackList = z
  .array(name)
  .max(MOST_FALLBACKS, `At most ${MOST_FALLBACKS} fallbacks in a chain`);

/** `[{"gpt-4o": ["claude", …]}]` or the same as one object; kept as the object. */
const chains = (most: number) =>
  z
    .union([z.array(z.record(name, fallbackList)), z.record(name, fallbackList)])
    .transform(
      (value) =>
        (Array.isArray(value) ? Object.assign({}, ...value) : value) as Record<string, string[]>,
    )
    .refine((value) => Object.keys(value).length <= most, { error: `At most ${most} chains` })
    .describe('[{"model": ["next", …]}]; the model may be a group, provider/model or *');

const retryPolicy = z.object({
  BadRequestErrorRetries: retries.nullish(),
  AuthenticationErrorRetries: retries.nullish(),
  TimeoutErrorRetries: retries.nullish(),
  RateLimitErrorRetries: retries.nullish(),
  ContentPolicyViolationErrorRetries: retries.nullish(),
  InternalServerErrorRetries: retries.nullish(),
});

const CLASSES: Readonly<Record<keyof z.output<typeof retryPolicy>, FaultClass[]>> = {
  // A caller's fault is never retried, whatever is asked for.
  BadRequestErrorRetries: [],
  AuthenticationErrorRetries: ["deployment"],
  TimeoutErrorRetries: ["timeout"],
  RateLimitErrorRetries: ["rate_limit"],
  ContentPolicyViolationErrorRetries: ["content_filter"],
  InternalServerErrorRetries: ["transient", "connection"],
};

/** What a group, a key and the organization may all set. */
const own = (mostChains: number) => ({
  routing_strategy: z
    .enum(STRATEGY_NAMES as [string, ...string[]])
    .nullish()
    .describe(
      "How a deployment is picked among the usable ones of a group; simple_shuffle if absent",
    ),
  enable_tag_filtering: z.boolean().nullish().describe("A request's tags must be the deployment's"),
  tag_filtering_match_any: z.boolean().nullish().describe("One common tag suffices"),
  num_retries: retries.nullish().describe("Further attempts within a group; 3 if absent"),
  retry_policy: retryPolicy.nullish().describe("The same for single classes of errors"),
  retry_after: seconds(60)
    .nullish()
    .describe("Seconds; first backoff, growing from there; 0.08 if absent"),
  max_retry_wait: seconds(600)
    .nullish()
    .describe("Seconds; a provider that asks to wait longer is not waited for; 10 if absent"),
  timeout: positive(600)
    .nullish()
    .describe("Seconds to the first content of a stream (30 if absent), and for a whole answer"),
  stream_timeout: positive(600).nullish().describe("The same for streams alone"),
  inter_token_timeout: positive(600).nullish().describe("Seconds between two events; 60 if absent"),
  total_timeout: positive(600).nullish().describe("Seconds for the whole request; 600 if absent"),
  fallbacks: chains(mostChains).nullish(),
  default_fallbacks: fallbackList.nullish().describe("For models without a chain of their own"),
  context_window_fallbacks: chains(mostChains).nullish().describe("When a prompt is too long"),
  content_policy_fallbacks: chains(mostChains).nullish().describe("When a filter refuses"),
  max_fallbacks: z.int().min(0).max(MOST_FALLBACKS, `At most ${MOST_FALLBACKS}`).nullish(),
  affinity: z
    .boolean()
    .nullish()
    .describe("Conversations keep to one deployment, for its prompt cache; true if absent"),
  mid_stream: z
    .enum(["continue", "error"])
    .nullish()
    .describe("What a stream that dies after content does; continue if absent"),
  hedge_after: positive(60)
    .nullish()
    .describe(
      "Seconds without content of a stream after which another attempt starts beside it; each is charged",
    ),
  residency: z
    .union([z.enum(RESIDENCY_CLASSES), z.array(name).min(1).max(100)])
    .nullish()
    .describe("Where deployments must lie: a class or a list of regions"),
  max_cost_usd: z
    .number()
    .gt(0)
    .max(9_000_000)
    .nullish()
    .describe("The most that one attempt may cost"),
});

/** What all callers of a group share: no key may loosen or tighten another's breaker. */
const shared = {
  allowed_fails: z
    .int()
    .min(0, "Must not be negative")
    .max(1_000, "At most 1,000")
    .nullish()
    .describe(
      "Failures in a row after which a deployment leaves the rotation (0 as 1); 3 if absent",
    ),
  cooldown_time: seconds(3_600)
    .nullish()
    .describe(
      "Seconds; the longest time out of rotation between two probes, 0 for never out; 60 if absent",
    ),
  disable_cooldowns: z.boolean().nullish().describe("True keeps every deployment in rotation"),
};

const MOST_CHAINS = 200;
const MOST_CHAINS_OF_KEY = 5;

/** `router_settings` of a key. */
export const keyRouterSettings = z.object(own(MOST_CHAINS_OF_KEY));

const group = z.object({ ...own(MOST_CHAINS), ...shared });

/** `router_settings` of an organization. */
export const routerSettings = z.object({
  ...own(MOST_CHAINS),
  ...shared,
  model_group_alias: z
    .record(name, z.union([name, z.looseObject({ model: name }).transform(({ model }) => model)]))
    .refine((value) => Object.keys(value).length <= 500, { error: "At most 500 aliases" })
    .nullish()
    .describe("Names that stand for groups"),
  model_group_settings: z
    .record(name, group)
    .refine((value) => Object.keys(value).length <= 500, { error: "At most 500 groups" })
    .nullish()
    .describe("The same settings for single groups"),
  model_group_retry_policy: z.record(name, retryPolicy).nullish(),
});

export type KeyRouterSettings = z.output<typeof keyRouterSettings>;
export type RouterSettings = z.output<typeof routerSettings>;

/** Paths of members that mean nothing here, inside single groups and retry policies as well. */
export function unknownSettings(settings: JsonObject): string[] {
  const byGroup = (name: string, shape: object) => {
    const groups = settings[name];
    if (!isJsonObject(groups)) return [];
    return Object.entries(groups).flatMap(([group, own]) =>
      isJsonObject(own) ? unknownIn(own, shape, `${name}.${group}.`) : [],
    );
  };
  return [
    ...unknownIn(settings, routerSettings.shape, ""),
    ...byGroup("model_group_settings", group.shape),
    ...byGroup("model_group_retry_policy", retryPolicy.shape),
  ];
}

function unknownIn(settings: JsonObject, shape: object, prefix: string): string[] {
  const { retry_policy: policy } = settings;
  return [
    ...Object.keys(settings)
      .filter((name) => !Object.hasOwn(shape, name))
      .map((name) => prefix + name),
    ...(isJsonObject(policy) ? unknownIn(policy, retryPolicy.shape, `${prefix}retry_policy.`) : []),
  ];
}

/** One layer of the path's settings out of what was written. */
function layerOf(settings: Partial<RouterSettings>): RoutingLayer {
  const layer: RoutingLayer = {};
  const put = <K extends keyof RoutingLayer>(key: K, value: RoutingLayer[K] | null | undefined) => {
    if (value !== null && value !== undefined) layer[key] = value;
  };
  const ms = (value: number | null | undefined) =>
    value === null || value === undefined ? undefined : Math.round(value * 1000);
  put(
    "strategy",
    settings.routing_strategy == null ? null : strategyNamed(settings.routing_strategy),
  );
  put("tagFilter", settings.enable_tag_filtering);
  put("tagMatchAny", settings.tag_filtering_match_any);
  put("numRetries", settings.num_retries);
  if (settings.retry_policy) put("retries", retriesOf(settings.retry_policy));
  put("backoff", ms(settings.retry_after));
  put("maxWait", ms(settings.max_retry_wait));
  put("allowedFails", settings.allowed_fails);
  if (settings.cooldown_time === 0) put("cooldowns", false);
  else put("cooldown", ms(settings.cooldown_time));
  if (settings.disable_cooldowns != null) put("cooldowns", !settings.disable_cooldowns);
  put("fallbacks", settings.fallbacks);
  put("defaultFallbacks", settings.default_fallbacks);
  put("contextWindowFallbacks", settings.context_window_fallbacks);
  put("contentPolicyFallbacks", settings.content_policy_fallbacks);
  put("maxFallbacks", settings.max_fallbacks);
  put("affinity", settings.affinity);
  put("midStream", settings.mid_stream);
  put("hedgeAfter", ms(settings.hedge_after));
  put("residency", settings.residency);
  put("maxCost", settings.max_cost_usd == null ? null : nanoUsd(settings.max_cost_usd));
  const timeouts = {
    first: ms(settings.stream_timeout ?? settings.timeout),
    whole: ms(settings.timeout),
    between: ms(settings.inter_token_timeout),
    total: ms(settings.total_timeout),
  };
  const given = Object.entries(timeouts).filter(([, value]) => value !== undefined);
  if (given.length > 0) layer.timeouts = Object.fromEntries(given);
  return layer;
}

function retriesOf(policy: z.output<typeof retryPolicy>): Partial<Record<FaultClass, number>> {
  const out: Partial<Record<FaultClass, number>> = {};
  for (const [each, classes] of Object.entries(CLASSES)) {
    const n = policy[each as keyof typeof policy];
    if (n != null) for (const one of classes) out[one] = n;
  }
  return out;
}

/** How an organization routes, out of what is stored; what can't be read counts as absent. */
export function orgRoutingOf(stored: JsonObject): OrgRouting {
  const read = routerSettings.safeParse(stored);
  if (!read.success) return { all: {}, groups: {}, aliases: {} };
  const { model_group_settings, model_group_alias, model_group_retry_policy } = read.data;
  const groups: Record<string, RoutingLayer> = {};
  for (const [each, settings] of Object.entries(model_group_settings ?? {})) {
    groups[each] = layerOf(settings);
  }
  for (const [each, policy] of Object.entries(model_group_retry_policy ?? {})) {
    groups[each] = { retries: retriesOf(policy), ...groups[each] };
  }
  return { all: layerOf(read.data), groups, aliases: model_group_alias ?? {} };
}

/** How a key routes, out of what is stored. */
export function keyRoutingOf(stored: JsonObject): RoutingLayer | undefined {
  if (Object.keys(stored).length === 0) return undefined;
  const read = keyRouterSettings.safeParse(stored);
  return read.success ? layerOf(read.data) : undefined;
}

/** Chains as LiteLLM's answers show them. */
export function shownChains(value: Chains): Record<string, readonly string[]>[] {
  return Object.entries(value).map(([each, list]) => ({ [each]: list }));
}

/** What counts where nothing is set, in the form that administrators write; for answers that show it. */
export const ROUTER_DEFAULTS: RouterSettings = {
  routing_strategy: "simple_shuffle",
  enable_tag_filtering: false,
  tag_filtering_match_any: false,
  num_retries: 3,
  retry_after: 0.08,
  max_retry_wait: 10,
  inter_token_timeout: 60,
  total_timeout: 600,
  max_fallbacks: MOST_FALLBACKS,
  affinity: true,
  mid_stream: "continue",
  allowed_fails: 3,
  cooldown_time: 60,
  disable_cooldowns: false,
};
