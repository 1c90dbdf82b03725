import type { JsonObject } from "../../core/json.ts";
import { completionTokens, promptTokens, type TokenUsage } from "../../core/usage.ts";
import { parseUsage as parseChatUsage } from "../openai-chat/usage.ts";

/** Reads usage into disjoint classes; the sums are those of chat completions under other names. */
export function parseUsage(from: JsonObject): TokenUsage {
  return parseChatUsage({
    prompt_tokens: from["input_tokens"],
    completion_tokens: from["output_tokens"],
    total_tokens: from["total_tokens"],
    prompt_tokens_details: from["input_tokens_details"],
    completion_tokens_details: from["output_tokens_details"],
  });
}

/** Usage in the Responses form. */
export function encodeUsage(usage: TokenUsage): JsonObject {
  const input = promptTokens(usage);
  const output = completionTokens(usage);
  const written = usage.cacheWrite + usage.cacheWriteLong;
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: usage.cacheRead,
      ...(written > 0 && { cache_write_tokens: written }),
    },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: usage.reasoning },
    total_tokens: input + output,
  };
}
