import type { Dialect } from "./ground.ts";

/** In every bad body; must come back in no log line and stand in no row. */
export const CANARY = "zebra-canary-7f3a";

/** A member that is wrong in both dialects, and the path that must be named. */
export const COMMON: [string, object][] = [
  ["model", { model: 5 }],
  ["model", { model: "" }],
  ["model", { model: null }],
  ["messages", { messages: CANARY }],
  ["messages", { messages: [] }],
  ["messages", { messages: null }],
  ["messages[0]", { messages: [CANARY] }],
  ["messages[0].role", { messages: [{ role: CANARY, content: "x" }] }],
  ["messages[0].role", { messages: [{ content: CANARY }] }],
  [
    "messages[1].content",
    {
      messages: [
        { role: "user", content: CANARY },
        { role: "user", content: 5 },
      ],
    },
  ],
  ["messages[0].content", { messages: [{ role: "user" }] }],
  [
    "messages[0].content[0].text",
    { messages: [{ role: "user", content: [{ type: "text", value: CANARY }] }] },
  ],
  ["messages[0].content[0].type", { messages: [{ role: "user", content: [{ text: CANARY }] }] }],
  ["stream", { stream: CANARY }],
  ["temperature", { temperature: CANARY }],
  ["top_p", { top_p: [] }],
  ["max_tokens", { max_tokens: 0 }],
  ["max_tokens", { max_tokens: 1.5 }],
  ["max_tokens", { max_tokens: "9" }],
  ["tools", { tools: { a: CANARY } }],
  ["tools[0]", { tools: [CANARY] }],
  ["tags", { tags: CANARY }],
  ["tags[1]", { tags: ["a", 5] }],
  ["metadata.tags", { metadata: { tags: 5 } }],
  ["timeout", { timeout: -1 }],
  ["timeout", { timeout: CANARY }],
  ["num_retries", { num_retries: 0.5 }],
  ["fallbacks", { fallbacks: CANARY }],
  ["disable_fallbacks", { disable_fallbacks: "no" }],
  ["mid_stream", { mid_stream: CANARY }],
  ["customer_id", { customer_id: { id: CANARY } }],
  ["customer_id", { customer_id: "x".repeat(300) }],
  ["guardrail_id", { guardrail_id: 5 }],
];
/** The same for what only one dialect has. */
export const OWN: Record<Dialect, [string, object][]> = {
  openai: [
    ["stream_options", { stream_options: CANARY }],
    ["stream_options.include_usage", { stream: true, stream_options: { include_usage: 1 } }],
    ["n", { n: 0 }],
    ["stop", { stop: { a: CANARY } }],
    ["stop[1]", { stop: ["a", 5] }],
    ["seed", { seed: CANARY }],
    ["logit_bias", { logit_bias: [] }],
    ["logprobs", { logprobs: "yes" }],
    ["user", { user: 5 }],
    ["tool_choice", { tool_choice: CANARY }],
    ["tools[0].function", { tools: [{ type: "function", name: CANARY }] }],
    ["tools[0].function.name", { tools: [{ type: "function", function: { n: CANARY } }] }],
    ["response_format", { response_format: CANARY }],
    ["response_format.json_schema", { response_format: { type: "json_schema" } }],
    [
      "messages[0].content[0].image_url.url",
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }] },
    ],
    [
      "messages[0].tool_calls[0].id",
      {
        messages: [
          { role: "assistant", tool_calls: [{ type: "function", function: { name: "f" } }] },
        ],
      },
    ],
    ["messages[0].tool_call_id", { messages: [{ role: "tool", content: CANARY }] }],
  ],
  anthropic: [
    ["max_tokens", { max_tokens: null }],
    ["system", { system: 5 }],
    ["stop_sequences", { stop_sequences: CANARY }],
    ["thinking", { thinking: CANARY }],
    ["thinking.budget_tokens", { thinking: { type: "enabled" } }],
    ["tool_choice", { tool_choice: "auto" }],
    ["tools[0].input_schema", { tools: [{ name: "f", description: CANARY }] }],
    ["metadata", { metadata: CANARY }],
    [
      "messages[0].content[0].source",
      { messages: [{ role: "user", content: [{ type: "image" }] }] },
    ],
    [
      "messages[0].content[0].tool_use_id",
      { messages: [{ role: "user", content: [{ type: "tool_result", content: CANARY }] }] },
    ],
    ["output_config", { output_config: CANARY }],
  ],
};
