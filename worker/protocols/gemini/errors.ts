import type { PublicError } from "../../core/errors.ts";
import type { UpstreamFault } from "../../core/fault.ts";
import type { JsonObject } from "../../core/json.ts";
import { isJsonObject } from "../../core/json.ts";
import { objectIn, objectsIn, textOf } from "../answers.ts";
import { faultClass, namedError, publicText, readFault } from "../faults.ts";
import { parsed } from "../fields.ts";
import type { AnswerContext } from "../protocol.ts";

const STATUSES: readonly (readonly [number, string])[] = [
  [400, "INVALID_ARGUMENT"],
  [401, "UNAUTHENTICATED"],
  [403, "PERMISSION_DENIED"],
  [404, "NOT_FOUND"],
  [409, "ABORTED"],
  [413, "INVALID_ARGUMENT"],
  [429, "RESOURCE_EXHAUSTED"],
  [499, "CANCELLED"],
  [500, "INTERNAL"],
  [501, "UNIMPLEMENTED"],
  [503, "UNAVAILABLE"],
  [504, "DEADLINE_EXCEEDED"],
];

function nameOf(status: number): string {
  const known = STATUSES.find(([each]) => each === status);
  if (known) return known[1];
  return status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT";
}

/** The HTTP status of Google's name for it; 500 for one that nobody knows. */
function statusOfName(name: string): number {
  return STATUSES.find(([, each]) => each === name)?.[0] ?? 500;
}

/** The error body of Google's dialect, with what the gateway knows besides in `details`. */
export function encodeError(error: PublicError): JsonObject {
  const { type, code, param, members } = error;
  return {
    error: {
      code: error.status,
      message: error.message,
      status: nameOf(error.status),
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: code,
          domain: "routero",
          metadata: { type, ...(param !== null && { param }) },
        },
      ],
      ...members,
    },
  };
}

/**
 * What ends a failed stream: the array's last element, which then never closes (PROTOCOLS 4), or a bare object, as Google
 * sends it and its clients since the first know it, and the same as an event: readers of events alone, such as the AI
 * SDK's, pass over the bare one and would take a cut answer for a whole one.
 */
export function encodeStreamError(
  error: PublicError,
  { array }: AnswerContext,
  begun: boolean,
): string[] {
  const body = JSON.stringify(encodeError(error));
  if (!array) return [`${body}\n\n`, `data: ${body}\r\n\r\n`];
  return [begun ? `,\r\n${body}` : `[${body}`];
}

/** Reads a refusal; a bad key comes as a 400 that says so only in its details. */
export function parseError(status: number, headers: Headers, body: string): UpstreamFault {
  const fault = readFault(status, headers, body);
  const json = parsed(body);
  const from = Array.isArray(json) ? json[0] : json;
  const error = isJsonObject(from) ? objectIn(from["error"]) : undefined;
  if (!error) return fault;
  const reasons = objectsIn(error["details"]).map((each) => textOf(each["reason"]));
  const name = textOf(error["status"]);
  if (name !== undefined) fault.code = publicText(name) ?? name;
  if (reasons.includes("API_KEY_INVALID") || reasons.includes("API_KEY_SERVICE_BLOCKED")) {
    return { ...fault, class: "deployment", status: 401 };
  }
  return fault;
}

/** A failure that came inside a stream, as the same refusal over HTTP. */
export function streamFailure(from: JsonObject) {
  const error = objectIn(from["error"]) ?? {};
  const named = namedError(from);
  const code = Number(error["code"]);
  const name = textOf(error["status"]) ?? "";
  const status = code >= 400 && code <= 599 ? code : statusOfName(name);
  return {
    status,
    message: publicText(named.message) ?? "The provider reported an error inside the stream.",
    type: faultClass(status, named),
    ...(name !== "" && { code: name }),
  };
}
