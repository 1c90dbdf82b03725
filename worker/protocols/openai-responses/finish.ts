import type { FinishReason } from "../../core/chat.ts";
import type { JsonObject } from "../../core/json.ts";
import { objectIn, textOf } from "../answers.ts";

/** Why a response ended, out of its status; a completed one that calls functions ended for them. */
export function parseFinish(response: JsonObject, called: boolean): FinishReason {
  if (response["status"] !== "incomplete") return called ? "tool_calls" : "stop";
  const reason = textOf(objectIn(response["incomplete_details"])?.["reason"]);
  if (reason === "content_filter") return "content_filter";
  return reason === "max_output_tokens" ? "length" : "pause";
}

/** Status and details of a response that ended so. */
export function encodeFinish(reason: FinishReason): {
  status: "completed" | "incomplete";
  incomplete_details: JsonObject | null;
} {
  const why = INCOMPLETE[reason];
  return {
    status: why === undefined ? "completed" : "incomplete",
    incomplete_details: why === undefined ? null : { reason: why },
  };
}

const INCOMPLETE: Partial<Record<FinishReason, string>> = {
  length: "max_output_tokens",
  context_window: "max_output_tokens",
  content_filter: "content_filter",
  refusal: "content_filter",
};
