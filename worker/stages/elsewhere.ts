import type { Authorized } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { shortName } from "../providers/resolve.ts";
import { permitted } from "./authorize.ts";
import { hardIn } from "./links.ts";

/**
 * Refuses a request that asks a provider to answer with other models of its own (OpenRouter's `models`, Anthropic's
 * `fallbacks` of objects) where something says what may serve: the gateway would never see what was chosen.
 */
export function refuseElsewhere(call: Authorized): void {
  const named = modelsIn(call.body);
  if (named === null) return;
  const { param, models } = named;
  const [hard] = hardIn(call, call.verdict?.route ?? call.model).filter(({ by }) => by !== "tags");
  if (hard !== undefined) {
    const ceiling = hard.by === "price" ? "a ceiling of cost" : `a rule of ${hard.by}`;
    throw new GatewayError(
      "policy_no_candidate",
      `${param}: ${ceiling} says what may serve this request, and models that a provider chooses ('${shortName(models[0] ?? "")}') can't be held to it: name groups of this gateway in \`fallbacks\`, as texts.`,
      { param },
    );
  }
  for (const name of models) permitted(call, name);
}

function modelsIn({ models, fallbacks }: JsonObject): { param: string; models: string[] } | null {
  const own = Array.isArray(models) ? models : [];
  const theirs = Array.isArray(fallbacks) ? fallbacks.filter(isJsonObject) : [];
  const named = [...own, ...theirs.map((each) => each["model"])].filter(
    (each) => typeof each === "string",
  );
  if (named.length === 0) return null;
  return { param: own.length > 0 ? "models" : "fallbacks", models: named };
}
