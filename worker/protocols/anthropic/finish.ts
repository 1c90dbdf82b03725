import type { FinishReason } from "../../core/chat.ts";

const REASONS: Readonly<Record<string, FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  tool_use: "tool_calls",
  pause_turn: "pause",
  compaction: "pause",
  refusal: "refusal",
  model_context_window_exceeded: "context_window",
};

/** A stop reason; one that nobody knows reads as a plain stop. */
export function parseFinish(reason: string): FinishReason {
  return Object.hasOwn(REASONS, reason) ? REASONS[reason]! : "stop";
}

const WIRE: Readonly<Record<FinishReason, string>> = {
  stop: "end_turn",
  length: "max_tokens",
  tool_calls: "tool_use",
  content_filter: "refusal",
  refusal: "refusal",
  pause: "pause_turn",
  context_window: "model_context_window_exceeded",
  error: "end_turn",
};

/**
 * The stop reason as Anthropic clients act on it: they answer tool calls only under `tool_use`, while other
 * providers may say `stop` beside a call.
 */
export function encodeFinish(reason: FinishReason, called: boolean, stopSequence?: string): string {
  if (reason === "stop" && called) return "tool_use";
  if (reason === "stop" && stopSequence !== undefined) return "stop_sequence";
  return WIRE[reason];
}
