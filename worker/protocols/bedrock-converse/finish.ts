import type { FinishReason } from "../../core/chat.ts";

const REASONS: Readonly<Record<string, FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  tool_use: "tool_calls",
  max_tokens: "length",
  guardrail_intervened: "content_filter",
  content_filtered: "content_filter",
  malformed_model_output: "error",
  malformed_tool_use: "error",
  model_context_window_exceeded: "context_window",
};

/**
 * A stop reason in canonical words; one that nobody knows reads as a plain stop. Without a call (a stand-in tool was read as
 * text) `tool_use` is a plain stop.
 */
export function parseFinish(reason: string, called: boolean): FinishReason {
  if (reason === "tool_use" && !called) return "stop";
  return Object.hasOwn(REASONS, reason) ? REASONS[reason]! : "stop";
}
