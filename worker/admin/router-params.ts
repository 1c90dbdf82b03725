import * as z from "zod";
import { DEFAULT_THRESHOLD, ROUTING_MODES } from "../core/auto-router.ts";
import { alias } from "./fields.ts";

/** Utterances of a router in all, and characters of its whole config. */
export const MOST_UTTERANCES = 500;
export const MOST_CHARACTERS = 100_000;

/** A router's routes; members that other gateways know besides are left out. */
export const routerConfig = z.object({
  routes: z
    .array(
      z.object({
        name: alias.describe("The model that serves the route: a group, provider/model or smart/…"),
        description: z.string().max(1000, "At most 1,000 characters").nullish(),
        utterances: z
          .array(z.string().min(1, "Must not be empty").max(500, "At most 500 characters"))
          .max(50, "At most 50 utterances")
          .nullish(),
        score_threshold: z
          .number()
          .min(0, "Must be from 0 to 1")
          .max(1, "Must be from 0 to 1")
          .default(DEFAULT_THRESHOLD),
      }),
    )
    .min(1, "Must hold at least one route")
    .max(100, "At most 100 routes"),
});

/** The members of `litellm_params` that only a named router has. */
export const ROUTER_PARAMS = {
  auto_router_config: z
    .union([z.string(), z.record(z.string(), z.unknown())])
    .nullish()
    .describe(
      "For model auto_router/<name>: {routes: [{name, description, utterances, score_threshold}]}, as JSON or as text of it; 50 utterances a route, 500 in all",
    ),
  auto_router_default_model: alias
    .nullish()
    .describe("For model auto_router/<name>, required: serves what matches no route"),
  auto_router_routing_mode: z
    .enum(ROUTING_MODES)
    .nullish()
    .describe("embedding: the nearest utterance (default); classifier: all words of a route"),
  auto_router_embedding_model: alias
    .nullish()
    .describe("Kept and shown; routing calls no model, it compares in the gateway"),
  auto_router_classifier_model: alias.nullish().describe("Kept and shown, and not called either"),
};

export const ROUTER_PARAM_NAMES = Object.keys(ROUTER_PARAMS) as (keyof typeof ROUTER_PARAMS)[];
