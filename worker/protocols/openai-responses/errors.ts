import type { PublicError } from "../../core/errors.ts";
import { sseText } from "../sse.ts";

/** The event that ends a failed stream: flat, as the client's types say, and nested, as it is sent (PROTOCOLS 4). */
export function encodeStreamError(error: PublicError): string[] {
  const { message, type, code, param, members } = error;
  const data = {
    type: "error",
    code,
    message,
    param,
    sequence_number: 0,
    error: { message, type, param, code, ...members },
  };
  return [sseText({ event: "error", data: JSON.stringify(data) })];
}
