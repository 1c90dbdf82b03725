import type { Extensions } from "../core/call.ts";
import type { Verdict } from "../core/policy.ts";
import { strategyNamed } from "../core/router-settings.ts";
import type { Chains, OrgRouting, RoutingLayer, RoutingSettings } from "../core/routing.ts";

/** What stands where nobody said otherwise (PROTOCOLS 10). */
export const DEFAULTS: RoutingSettings = {
  strategy: "simple_shuffle",
  tagFilter: false,
  tagMatchAny: false,
  numRetries: 3,
  retries: {},
  backoff: 80,
  maxWait: 10_000,
  timeouts: { first: null, whole: null, between: 60_000, total: 600_000 },
  allowedFails: 3,
  cooldown: 60_000,
  cooldowns: true,
  fallbacks: {},
  defaultFallbacks: [],
  contextWindowFallbacks: {},
  contentPolicyFallbacks: {},
  maxFallbacks: 5,
  affinity: true,
  midStream: "continue",
  hedgeAfter: null,
  residency: null,
  maxCost: null,
};

/** What has a say in the settings of one request. */
export interface Sources {
  org?: OrgRouting | undefined;
  group: string;
  key?: RoutingLayer | undefined;
  verdict?: Verdict | undefined;
  hints?:
    | Pick<Extensions, "numRetries" | "timeoutMs" | "disableFallbacks" | "fallbacks" | "breaksOff">
    | undefined;
}

/**
 * All layers as one: the defaults, the organization, the group, the key, the policy's rule, each over the one before;
 * then the caller's own hints, which only narrow.
 */
export function settingsFor({ org, group, key, verdict, hints }: Sources): RoutingSettings {
  const own = org !== undefined && Object.hasOwn(org.groups, group) ? org.groups[group] : undefined;
  const layers = [org?.all, own, key, verdict && ruleLayer(verdict, group)];
  let settings = DEFAULTS;
  for (const layer of layers) if (layer !== undefined) settings = over(settings, layer);
  return hints === undefined ? settings : narrowed(settings, group, hints);
}

/** The chains of a name that stands for a group are the group's, where it has none of its own. */
export function aliased(settings: RoutingSettings, alias: string, group: string): RoutingSettings {
  const of = (chains: Chains): Chains => {
    const list = Object.hasOwn(chains, alias) ? chains[alias] : undefined;
    return list === undefined || Object.hasOwn(chains, group)
      ? chains
      : { ...chains, [group]: list };
  };
  if (alias === group) return settings;
  return {
    ...settings,
    fallbacks: of(settings.fallbacks),
    contextWindowFallbacks: of(settings.contextWindowFallbacks),
    contentPolicyFallbacks: of(settings.contentPolicyFallbacks),
  };
}

/** A layer over the settings below it. */
export function over(below: RoutingSettings, layer: RoutingLayer): RoutingSettings {
  return { ...below, ...layer, timeouts: { ...below.timeouts, ...layer.timeouts } };
}

function ruleLayer(verdict: Verdict, group: string): RoutingLayer {
  const { strategy, fallbacks, numRetries, timeoutMs, maxCost } = verdict;
  const named = strategy === undefined ? null : strategyNamed(strategy);
  return {
    ...(named !== null && { strategy: named }),
    ...(fallbacks !== undefined && { fallbacks: { [group]: fallbacks } }),
    ...(numRetries !== undefined && { numRetries }),
    ...(timeoutMs !== undefined && { timeouts: { first: timeoutMs, whole: timeoutMs } }),
    ...(maxCost !== undefined && { maxCost }),
  };
}

function narrowed(
  settings: RoutingSettings,
  group: string,
  hints: NonNullable<Sources["hints"]>,
): RoutingSettings {
  const out = { ...settings };
  const { numRetries, timeoutMs, disableFallbacks, fallbacks, breaksOff } = hints;
  if (breaksOff === true) out.midStream = "error";
  if (numRetries !== undefined && numRetries < out.numRetries) out.numRetries = numRetries;
  if (numRetries !== undefined) {
    out.retries = Object.fromEntries(
      Object.entries(out.retries).map(([name, n]) => [name, Math.min(n, numRetries)]),
    );
  }
  if (timeoutMs !== undefined) {
    const total = Math.min(out.timeouts.total, timeoutMs);
    out.timeouts = { ...out.timeouts, total };
  }
  if (fallbacks.length > 0) out.fallbacks = { ...out.fallbacks, [group]: fallbacks };
  if (disableFallbacks) {
    out.fallbacks = {};
    out.defaultFallbacks = [];
    out.contextWindowFallbacks = {};
    out.contentPolicyFallbacks = {};
  }
  return out;
}

/** The group that a name stands for where it is an alias of the organization; else the name itself. */
export function meantBy(org: OrgRouting | undefined, name: string): string {
  const aliases = org?.aliases ?? {};
  return Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name;
}
