import * as z from "zod";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { SMART_NAMES } from "../routing/smart/dial.ts";
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

const { shape } = routerSettings;

/** Router settings that LiteLLM's users write under `litellm_settings`, by their names there. */
export const litellmSettings = z.object({
  num_retries: shape.num_retries,
  request_timeout: shape.timeout,
  allowed_fails: shape.allowed_fails,
  cooldown_time: shape.cooldown_time,
  fallbacks: shape.fallbacks,
  default_fallbacks: shape.default_fallbacks,
  context_window_fallbacks: shape.context_window_fallbacks,
  content_policy_fallbacks: shape.content_policy_fallbacks,
  enable_tag_filtering: shape.enable_tag_filtering,
});

/** The same by the names of `router_settings`, which win over them. */
export function routerPartOf(read: z.output<typeof litellmSettings>): JsonObject {
  const { request_timeout: timeout, ...same } = read;
  return { ...same, ...(timeout !== undefined && { timeout }) } as JsonObject;
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

/** The models that settings name: who has a chain and who is in it, what aliases stand for, whose group is set apart. */
export function modelsIn(settings: JsonObject): { at: string; model: string }[] {
  return Object.entries(settings).flatMap(([name, value]) => {
    if (name === "default_fallbacks") return listed(name, value);
    if (!isJsonObject(value)) return [];
    return Object.entries(value).flatMap(([key, inner]) => {
      if (name === "model_group_alias") return listed(`${name}.${key}`, inner);
      if (CHAINS.has(name)) return [{ at: name, model: key }, ...listed(`${name}.${key}`, inner)];
      if (name !== "model_group_settings" && name !== "model_group_retry_policy") return [];
      const own = isJsonObject(inner) ? modelsIn(inner) : [];
      return [
        { at: name, model: key },
        ...own.map(({ at, model }) => ({ at: `${name}.${key}.${at}`, model })),
      ];
    });
  });
}

function listed(at: string, names: Json | undefined): { at: string; model: string }[] {
  const list = Array.isArray(names) ? names : [names];
  return list.flatMap((model) => (typeof model === "string" ? [{ at, model }] : []));
}

export function aliasesIn({ model_group_alias: aliases }: JsonObject): JsonObject {
  return isJsonObject(aliases) ? aliases : {};
}

/** True of a name that is no model itself: all of them, an alias, or the router's own. */
export function standsForOthers(settings: JsonObject, name: string): boolean {
  return name === "*" || SMART_NAMES.includes(name) || Object.hasOwn(aliasesIn(settings), name);
}
