import type { FinishReason } from "../../core/chat.ts";

const REASONS: Readonly<Record<string, FinishReason>> = {
  STOP: "stop",
  MAX_TOKENS: "length",
  SAFETY: "content_filter",
  RECITATION: "content_filter",
  LANGUAGE: "content_filter",
  BLOCKLIST: "content_filter",
  PROHIBITED_CONTENT: "content_filter",
  SPII: "content_filter",
  IMAGE_SAFETY: "content_filter",
  IMAGE_PROHIBITED_CONTENT: "content_filter",
  IMAGE_RECITATION: "content_filter",
  MODEL_ARMOR: "content_filter",
  MALFORMED_FUNCTION_CALL: "error",
  MALFORMED_RESPONSE: "error",
  UNEXPECTED_TOOL_CALL: "error",
  TOO_MANY_TOOL_CALLS: "error",
  MISSING_THOUGHT_SIGNATURE: "error",
  IMAGE_OTHER: "error",
  NO_IMAGE: "error",
};

/** A finish reason in canonical words; Google says STOP beside a call, where others tell the call. */
export function parseFinish(reason: string, called: boolean): FinishReason {
  const finish = Object.hasOwn(REASONS, reason) ? REASONS[reason]! : "stop";
  return finish === "stop" && called ? "tool_calls" : finish;
}

const WIRE: Readonly<Record<FinishReason, string>> = {
  stop: "STOP",
  length: "MAX_TOKENS",
  tool_calls: "STOP",
  content_filter: "SAFETY",
  refusal: "SAFETY",
  pause: "STOP",
  context_window: "MAX_TOKENS",
  error: "OTHER",
};

export function encodeFinish(reason: FinishReason): string {
  return WIRE[reason];
}
