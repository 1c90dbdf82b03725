import type { PublicError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { AnswerContext } from "../protocol.ts";
import { sseText } from "../sse.ts";

const TYPES: readonly (readonly [number, string])[] = [
  [400, "invalid_request_error"],
  [401, "authentication_error"],
  [402, "billing_error"],
  [403, "permission_error"],
  [404, "not_found_error"],
  [409, "conflict_error"],
  [413, "request_too_large"],
  [429, "rate_limit_error"],
  [500, "api_error"],
  [504, "timeout_error"],
  [529, "overloaded_error"],
  [503, "overloaded_error"],
];

function typeOf(status: number): string {
  const known = TYPES.find(([each]) => each === status);
  if (known) return known[1];
  return status >= 500 ? "api_error" : "invalid_request_error";
}

/** The HTTP status that Anthropic gives an error of this type; 500 for one that nobody knows. */
export function statusOfType(type: string): number {
  return TYPES.find(([, each]) => each === type)?.[0] ?? 500;
}

/** The error body of Anthropic's dialect, its type told by the status. */
export function encodeError(error: PublicError, { requestId }: AnswerContext): JsonObject {
  return {
    type: "error",
    error: { type: typeOf(error.status), message: error.message, ...error.members },
    request_id: requestId,
  };
}

/** The event that ends a failed stream. */
export function encodeStreamError(error: PublicError, context: AnswerContext): string[] {
  return [sseText({ event: "error", data: JSON.stringify(encodeError(error, context)) })];
}
