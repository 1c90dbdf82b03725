import { isJsonObject, type JsonObject } from "../core/json.ts";
import { ROUTER_DEFAULTS, routerSettings, shownChains } from "../core/router-settings.ts";
import type { Chains } from "../core/routing.ts";

/** Chains of fallbacks by the type that the fallback endpoints name. */
export const FALLBACK_TYPES = {
  general: "fallbacks",
  context_window: "context_window_fallbacks",
  content_policy: "content_policy_fallbacks",
} as const;

export type FallbackType = keyof typeof FALLBACK_TYPES;
export const FALLBACK_TYPE_NAMES = Object.keys(FALLBACK_TYPES) as [FallbackType, ...FallbackType[]];

const CHAINS: ReadonlySet<string> = new Set(Object.values(FALLBACK_TYPES));

/** Router settings that LiteLLM's users write under `litellm_settings`, by our name of them. */
const FROM_LITELLM: Readonly<Record<string, string>> = {
  num_retries: "num_retries",
  request_timeout: "timeout",
  allowed_fails: "allowed_fails",
  cooldown_time: "cooldown_time",
  fallbacks: "fallbacks",
  default_fallbacks: "default_fallbacks",
  context_window_fallbacks: "context_window_fallbacks",
  content_policy_fallbacks: "content_policy_fallbacks",
  enable_tag_filtering: "enable_tag_filtering",
};

/** The members of `litellm_settings` that are router settings; `router_settings` wins over them. */
export function routerPartOf(litellm: JsonObject): { settings: JsonObject; ignored: string[] } {
  const settings: JsonObject = {};
  const ignored: string[] = [];
  for (const [name, value] of Object.entries(litellm)) {
    const ours = Object.hasOwn(FROM_LITELLM, name) ? FROM_LITELLM[name] : undefined;
    if (ours === undefined) ignored.push(`litellm_settings.${name}`);
    else settings[ours] = value;
  }
  return { settings, ignored };
}

/** Stored settings as answers show them: chains as lists, in the form in which they may be sent again. */
export function shownSettings(stored: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(stored).map(([name, value]) => [
      name,
      CHAINS.has(name) && isJsonObject(value)
        ? (shownChains(value as unknown as Chains) as unknown as JsonObject[])
        : value,
    ]),
  );
}

/** Every setting with its meaning, its value and what counts without one. */
export function settingFields(stored: JsonObject) {
  const shown = shownSettings(stored);
  const defaults: Record<string, unknown> = ROUTER_DEFAULTS;
  return Object.entries(routerSettings.shape).map(([name, schema]) => ({
    field_name: name,
    field_description: schema.description ?? "",
    field_value: shown[name] ?? null,
    field_default_value: defaults[name] ?? null,
    stored_in_db: shown[name] !== undefined,
  }));
}
