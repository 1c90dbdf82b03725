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

export const EXTENSION_FIELD_SET: ReadonlySet<string> = new Set(EXTENSION_FIELDS);
