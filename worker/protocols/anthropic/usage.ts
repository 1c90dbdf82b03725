import type { JsonObject } from "../../core/json.ts";
import { completionTokens, NO_USAGE, tokenCount } from "../../core/usage.ts";
import type { TokenUsage } from "../../core/usage.ts";
import { objectIn, objectsIn } from "../answers.ts";

/**
 * Reads a usage object into disjoint classes: cache reads and writes stand beside the input, thinking is part of the
 * output (PROTOCOLS 20). Where several model runs made the answer (`iterations`: compaction, fallback, advisor), the
 * top level counts only the last, so the runs are summed; which model ran each of them is not kept.
 */
export function parseUsage(from: JsonObject): TokenUsage {
  const runs = objectsIn(from["iterations"]);
  if (runs.length === 0) return oneRun(from);
  const sum: TokenUsage = { ...NO_USAGE };
  for (const run of runs.map(oneRun)) {
    sum.input += run.input;
    sum.cacheRead += run.cacheRead;
    sum.cacheWrite += run.cacheWrite;
    sum.cacheWriteLong += run.cacheWriteLong;
    sum.output += run.output;
    sum.reasoning += run.reasoning;
  }
  return sum;
}

function oneRun(from: JsonObject): TokenUsage {
  const written = objectIn(from["cache_creation"]);
  const told = tokenCount(from["cache_creation_input_tokens"]);
  const short = tokenCount(written?.["ephemeral_5m_input_tokens"]);
  const long = tokenCount(written?.["ephemeral_1h_input_tokens"]);
  const total = told === 0 ? short + long : told;
  const cacheWriteLong = Math.min(long, total);
  const output = tokenCount(from["output_tokens"]);
  const details = objectIn(from["output_tokens_details"]);
  const reasoning = Math.min(tokenCount(details?.["thinking_tokens"]), output);
  return {
    ...NO_USAGE,
    input: tokenCount(from["input_tokens"]),
    cacheRead: tokenCount(from["cache_read_input_tokens"]),
    cacheWrite: total - cacheWriteLong,
    cacheWriteLong,
    output: output - reasoning,
    reasoning,
  };
}

/** Later usage over earlier: what `message_delta` tells replaces what `message_start` told, never adds to it. */
export function overwritten(earlier: JsonObject, later: JsonObject): JsonObject {
  const out = { ...earlier };
  for (const [name, value] of Object.entries(later)) {
    if (value !== null && value !== undefined) out[name] = value;
  }
  return out;
}

/** Usage in Anthropic's form. */
export function encodeUsage(usage: TokenUsage): JsonObject {
  return {
    input_tokens: usage.input + usage.audioInput + usage.imageInput,
    cache_creation_input_tokens: usage.cacheWrite + usage.cacheWriteLong,
    cache_read_input_tokens: usage.cacheRead,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheWrite,
      ephemeral_1h_input_tokens: usage.cacheWriteLong,
    },
    output_tokens: completionTokens(usage),
    ...(usage.reasoning > 0 && { output_tokens_details: { thinking_tokens: usage.reasoning } }),
  };
}
