import type { JsonObject } from "../../core/json.ts";
import { NO_USAGE, tokenCount, type TokenUsage } from "../../core/usage.ts";

/** Reads usage: what the cache served or stored stands beside the input. */
export function parseUsage(from: JsonObject): TokenUsage {
  return {
    ...NO_USAGE,
    input: tokenCount(from["inputTokens"]),
    cacheRead: tokenCount(from["cacheReadInputTokens"]),
    cacheWrite: tokenCount(from["cacheWriteInputTokens"]),
    output: tokenCount(from["outputTokens"]),
  };
}
