import type { JsonObject } from "../../core/json.ts";
import { NO_USAGE, tokenCount, type TokenUsage } from "../../core/usage.ts";
import { objectsIn } from "../answers.ts";

/** Reads usage: what the cache served or stored stands beside the input, by how long it is stored. */
export function parseUsage(from: JsonObject): TokenUsage {
  const written = tokenCount(from["cacheWriteInputTokens"]);
  const long = objectsIn(from["cacheDetails"])
    .filter(({ ttl }) => ttl === "1h")
    .reduce((sum, { inputTokens }) => sum + tokenCount(inputTokens), 0);
  const cacheWriteLong = Math.min(long, written);
  return {
    ...NO_USAGE,
    input: tokenCount(from["inputTokens"]),
    cacheRead: tokenCount(from["cacheReadInputTokens"]),
    cacheWrite: written - cacheWriteLong,
    cacheWriteLong,
    output: tokenCount(from["outputTokens"]),
  };
}
