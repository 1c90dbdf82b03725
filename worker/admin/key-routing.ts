import * as z from "zod";
import type { JsonObject } from "../core/json.ts";
import { usdNumber } from "../core/money.ts";
import { keyRouterSettings, type KeyRouterSettings } from "../core/router-settings.ts";
import { wider } from "./faults.ts";
import type { Maker } from "./key-bounds.ts";

/** What a caller may say of a key's own way to choose. */
export const KEY_ROUTING = {
  // A mistyped constraint that is dropped would be none: what is unknown here is refused.
  router_settings: z
    .strictObject(keyRouterSettings.shape)
    .nullish()
    .describe("How its requests are routed, over what the organization says; 5 chains at most"),
};

/** Settings as they are stored: what was said, and nothing where nothing was. */
export function storedRouting(settings: KeyRouterSettings | null | undefined): JsonObject {
  const said = Object.entries(settings ?? {}).filter(([, value]) => value != null);
  return Object.fromEntries(said) as JsonObject;
}

/**
 * The settings that a key gets from its maker: those asked for, under every constraint that binds the maker. How its
 * requests are routed is free; where they may go, for how much, and by which tags never becomes wider.
 */
export function boundRouting(maker: Maker, asked: JsonObject): JsonObject {
  const own = maker.key.routing;
  if (own === undefined) return asked;
  const settings: JsonObject = { ...asked };
  const refuse = (name: string): never => {
    throw wider(`router_settings.${name}`, "more than its own settings allow");
  };
  if (own.residency != null) {
    const residency = typeof own.residency === "string" ? own.residency : [...own.residency];
    settings["residency"] ??= residency;
    if (JSON.stringify(settings["residency"]) !== JSON.stringify(residency)) refuse("residency");
  }
  if (own.maxCost != null) {
    const most = usdNumber(own.maxCost);
    settings["max_cost_usd"] ??= most;
    if (Number(settings["max_cost_usd"]) > most) refuse("max_cost_usd");
  }
  if (own.tagFilter === true) {
    settings["enable_tag_filtering"] ??= true;
    if (settings["enable_tag_filtering"] !== true) refuse("enable_tag_filtering");
    const any = settings["tag_filtering_match_any"] === true;
    if (any && own.tagMatchAny !== true) refuse("tag_filtering_match_any");
  }
  return settings;
}
