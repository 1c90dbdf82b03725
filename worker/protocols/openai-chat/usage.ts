import type { Json, JsonObject } from "../../core/json.ts";
import { completionTokens, promptTokens, tokenCount } from "../../core/usage.ts";
import type { TokenUsage } from "../../core/usage.ts";
import { objectIn } from "../answers.ts";

/**
 * Reads a usage object into disjoint classes (PROTOCOLS 20). Details are parts of their total, except reasoning at
 * xAI, which stands beside the completion: told by a total that only adds up with it.
 */
export function parseUsage(from: JsonObject): TokenUsage {
  const prompt = objectIn(from["prompt_tokens_details"]) ?? {};
  const completion = objectIn(from["completion_tokens_details"]) ?? {};
  const promptTotal = tokenCount(from["prompt_tokens"]);
  let completionTotal = tokenCount(from["completion_tokens"]);
  const reasoningTold = tokenCount(completion["reasoning_tokens"] ?? from["reasoning_tokens"]);
  if (tokenCount(from["total_tokens"]) === promptTotal + completionTotal + reasoningTold) {
    completionTotal += reasoningTold;
  }
  // A detail can't be more than what is left of its total, so that the classes always add up to it.
  let input = promptTotal;
  const ofPrompt = (value: Json | undefined) => {
    const tokens = Math.min(tokenCount(value), input);
    input -= tokens;
    return tokens;
  };
  const cacheRead = ofPrompt(
    prompt["cached_tokens"] ?? from["prompt_cache_hit_tokens"] ?? from["cached_tokens"],
  );
  const cacheWrite = ofPrompt(prompt["cache_write_tokens"]);
  const audioInput = ofPrompt(prompt["audio_tokens"]);
  const imageInput = ofPrompt(prompt["image_tokens"]);
  let output = completionTotal;
  const ofCompletion = (value: Json | undefined) => {
    const tokens = Math.min(tokenCount(value), output);
    output -= tokens;
    return tokens;
  };
  const reasoning = ofCompletion(reasoningTold);
  const audioOutput = ofCompletion(completion["audio_tokens"]);
  return {
    input,
    cacheRead,
    cacheWrite,
    cacheWriteLong: 0,
    output,
    reasoning,
    audioInput,
    audioOutput,
    imageInput,
    estimated: false,
  };
}

/** The usage of an answer or chunk, wherever the provider put it; undefined for none, or for half of one. */
export function usageIn(from: JsonObject): TokenUsage | undefined {
  const top = objectIn(from["usage"]) ?? objectIn(objectIn(from["x_groq"])?.["usage"]);
  if (top) return wholeUsage(top);
  const choices = Array.isArray(from["choices"]) ? from["choices"] : [];
  for (const choice of choices) {
    const beside = objectIn(objectIn(choice)?.["usage"]);
    if (beside) return wholeUsage(beside);
  }
  return undefined;
}

/** A half that is left out follows from the sum; without one nothing is known of it, and nothing is not 0. */
function wholeUsage(from: JsonObject): TokenUsage | undefined {
  const { prompt_tokens: prompt, completion_tokens: completion, total_tokens: sum } = from;
  if (typeof prompt === "number" && typeof completion === "number") return parseUsage(from);
  if (typeof sum !== "number") return undefined;
  if (typeof prompt === "number") return parseUsage({ ...from, completion_tokens: sum - prompt });
  if (typeof completion !== "number") return undefined;
  return parseUsage({ ...from, prompt_tokens: sum - completion });
}

/** Usage in OpenAI's form. */
export function encodeUsage(usage: TokenUsage): JsonObject {
  const prompt = promptTokens(usage);
  const completion = completionTokens(usage);
  const written = usage.cacheWrite + usage.cacheWriteLong;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: {
      cached_tokens: usage.cacheRead,
      audio_tokens: usage.audioInput,
      ...(written > 0 && { cache_write_tokens: written }),
      ...(usage.imageInput > 0 && { image_tokens: usage.imageInput }),
    },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoning,
      audio_tokens: usage.audioOutput,
    },
  };
}
