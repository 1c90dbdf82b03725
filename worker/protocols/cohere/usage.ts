import type { JsonObject } from "../../core/json.ts";
import { NO_USAGE, tokenCount, type TokenUsage } from "../../core/usage.ts";
import { objectIn } from "../answers.ts";

/** Reads usage: what is billed counts, not what the model saw (PROTOCOLS 20); its cache is not billed apart. */
export function parseUsage(from: JsonObject): TokenUsage {
  const counted = objectIn(from["billed_units"]) ?? objectIn(from["tokens"]) ?? {};
  return {
    ...NO_USAGE,
    input: tokenCount(counted["input_tokens"]),
    output: tokenCount(counted["output_tokens"]),
  };
}
