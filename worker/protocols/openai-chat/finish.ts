import type { FinishReason } from "../../core/chat.ts";

const REASONS: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  eos: "stop",
  end_turn: "stop",
  stop_sequence: "stop",
  length: "length",
  max_tokens: "length",
  model_length: "context_window",
  tool_calls: "tool_calls",
  function_call: "tool_calls",
  content_filter: "content_filter",
  sensitive: "content_filter",
  refusal: "refusal",
  error: "error",
  insufficient_system_resource: "error",
};

/** A provider's finish reason; one that nobody knows reads as a plain stop. */
export function parseFinish(reason: string): FinishReason {
  return Object.hasOwn(REASONS, reason) ? REASONS[reason]! : "stop";
}

const WIRE: Readonly<Record<FinishReason, string>> = {
  stop: "stop",
  length: "length",
  tool_calls: "tool_calls",
  content_filter: "content_filter",
  refusal: "content_filter",
  pause: "stop",
  context_window: "length",
  error: "error",
};

/** The finish reason as OpenAI clients know it; Anthropic's own reasons read as their nearest relative. */
export function encodeFinish(reason: FinishReason): string {
  return WIRE[reason];
}
