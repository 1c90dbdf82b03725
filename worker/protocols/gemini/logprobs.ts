import type { Json, JsonObject } from "../../core/json.ts";
import { objectIn, objectsIn, stringOf } from "../answers.ts";

/** Google's log probabilities in OpenAI's form, which is the canonical one; undefined for none. */
export function readLogprobs(result: Json | undefined): Json | undefined {
  const from = objectIn(result);
  if (!from) return undefined;
  const chosen = objectsIn(from["chosenCandidates"]);
  const top = objectsIn(from["topCandidates"]);
  return {
    content: chosen.map((each, index) => ({
      ...tokenOf(each),
      top_logprobs: objectsIn(top[index]?.["candidates"]).map(tokenOf),
    })),
    refusal: null,
  };
}

function tokenOf(from: JsonObject): JsonObject {
  const token = stringOf(from["token"]) ?? "";
  return {
    token,
    logprob: from["logProbability"] ?? 0,
    bytes: [...new TextEncoder().encode(token)],
  };
}

/** OpenAI's log probabilities in Google's form; undefined for none. */
export function writeLogprobs(logprobs: Json | undefined): JsonObject | undefined {
  const content = objectsIn(objectIn(logprobs)?.["content"]);
  if (content.length === 0) return undefined;
  const candidate = (each: JsonObject): JsonObject => ({
    token: each["token"],
    logProbability: each["logprob"],
  });
  return {
    chosenCandidates: content.map(candidate),
    topCandidates: content.map((each) => ({
      candidates: objectsIn(each["top_logprobs"]).map(candidate),
    })),
  };
}
