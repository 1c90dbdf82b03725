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

/**
 * A stop reason in canonical words; one that nobody knows reads as a plain stop. `own` is the reason as it was sent,
 * where the canonical one would not lead back to it. Without a call (a stand-in tool was read as text) `tool_use` is
 * a plain stop.
 */
export function parseFinish(
  reason: string,
  called: boolean,
  stopSequence?: string,
): { finish: FinishReason; own?: string } {
  if (reason === "tool_use" && !called) return { finish: "stop" };
  const finish = Object.hasOwn(REASONS, reason) ? REASONS[reason]! : "stop";
  if (reason === "" || encodeFinish(finish, called, stopSequence) === reason) return { finish };
  return { finish, own: reason };
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
