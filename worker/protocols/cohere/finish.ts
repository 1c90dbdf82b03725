import type { FinishReason } from "../../core/chat.ts";

const REASONS: Readonly<Record<string, FinishReason>> = {
  COMPLETE: "stop",
  STOP_SEQUENCE: "stop",
  MAX_TOKENS: "length",
  TOOL_CALL: "tool_calls",
  ERROR_TOXIC: "content_filter",
  ERROR: "error",
  ERROR_LIMIT: "error",
  TIMEOUT: "error",
};

/** A finish reason in canonical words; one that nobody knows reads as a plain stop. */
export function parseFinish(reason: string): FinishReason {
  return Object.hasOwn(REASONS, reason) ? REASONS[reason]! : "stop";
}
