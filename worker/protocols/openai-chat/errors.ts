import type { PublicError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { sseText } from "../sse.ts";

/** The error body of OpenAI; a guardrail's refusal says its message in the second documented form as well. */
export function encodeError(error: PublicError): JsonObject {
  const { message, type, param, code, members } = error;
  return {
    error: { message, type, param, code, ...members },
    ...(code === "guardrail_blocked" && { detail: message }),
  };
}

/** The event that ends a failed stream; no `[DONE]` follows it. */
export function encodeStreamError(error: PublicError): string[] {
  return [sseText({ data: JSON.stringify(encodeError(error)) })];
}
