import { isJsonObject, type Json } from "./json.ts";

/**
 * The members with which a caller talks to the gateway inside an ordinary request body. They stand at
 * the top level or inside `metadata` (top level wins) and never reach a provider.
 */
export const EXTENSION_FIELDS = [
  "guardrail_id",
  "token_saving_plan_id",
  "prompt_id",
  "memory_id",
  "prompt_variables",
  "prompt_version",
  "store_memory",
  "cache",
  "customer_id",
  "tags",
  "fallbacks",
  "num_retries",
  "timeout",
  "disable_fallbacks",
  "mid_stream",
  "mock_response",
] as const;

const NAMES: ReadonlySet<string> = new Set(EXTENSION_FIELDS);

/**
 * True for a member that only the gateway reads. Providers have members of two of these names: a `cache` that is no object,
 * and `fallbacks` that are objects (Anthropic's own, tried on its servers).
 */
export function isExtension(name: string, value: Json | undefined): boolean {
  if (name === "cache") return isJsonObject(value);
  if (name === "fallbacks" && Array.isArray(value)) return !value.some(isJsonObject);
  return NAMES.has(name);
}
