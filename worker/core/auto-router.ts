import { isJsonObject, type Json, type JsonObject } from "./json.ts";

/** What stands in the provider's place of a named router: its row is kept beside the deployments', and is none. */
export const AUTO_ROUTER = "auto_router";

export const ROUTING_MODES = ["embedding", "classifier"] as const;
export type RoutingMode = (typeof ROUTING_MODES)[number];

/** One of a router's ways: what is asked like its utterances goes to the model of its name. */
export interface AutoRoute {
  /** A model group, or another name that resolves. */
  name: string;
  description: string;
  utterances: readonly string[];
  /** 0–1, the least score at which the route is taken. */
  threshold: number;
}

/** A named router: callers use it like a model group. */
export interface AutoRouter {
  id: string;
  /** The name that callers use. */
  group: string;
  /** The `<name>` of `auto_router/<name>`. */
  name: string;
  routes: readonly AutoRoute[];
  defaultModel: string;
  mode: RoutingMode;
}

/** What a router made of a request. */
export interface AutoDecision {
  router: string;
  mode: RoutingMode;
  /** The route that was taken; null = none matched, and the default model serves. */
  route: string | null;
  /** 0–1, the best score that any route had. */
  score: number;
  reason: "matched" | "below_threshold" | "no_messages" | "no_such_model" | "error";
}

export const DEFAULT_THRESHOLD = 0.2;

/** What the path needs of a router's row; its parameters were checked when they were stored. */
export function autoRouterOf(row: {
  id: string;
  group: string;
  model: string;
  litellmParams: JsonObject;
}): AutoRouter {
  const { auto_router_config: config, auto_router_default_model: fallback } = row.litellmParams;
  const routes = isJsonObject(config) && Array.isArray(config["routes"]) ? config["routes"] : [];
  return {
    id: row.id,
    group: row.group,
    name: row.model,
    routes: routes.filter(isJsonObject).map(routeOf),
    defaultModel: textOf(fallback),
    mode:
      row.litellmParams["auto_router_routing_mode"] === "classifier" ? "classifier" : "embedding",
  };
}

function routeOf({ name, description, utterances, score_threshold: least }: JsonObject): AutoRoute {
  return {
    name: textOf(name),
    description: textOf(description),
    utterances: Array.isArray(utterances) ? utterances.map(textOf) : [],
    threshold: typeof least === "number" ? least : DEFAULT_THRESHOLD,
  };
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
