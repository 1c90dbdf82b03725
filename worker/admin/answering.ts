import type { Credentialed } from "../core/call.ts";
import { asGatewayError, publicError, retryHeaders, type GatewayError } from "../core/errors.ts";
import { greet, idHeaders } from "../core/greet.ts";
import type { JsonObject } from "../core/json.ts";
import type { FileAnswer } from "./audit-forms.ts";
import type { AdminDeps } from "./ports.ts";

interface Answered {
  status: number;
  body: unknown;
  /** In the place of the body where the answer is no JSON. */
  file?: FileAnswer | null;
  headers: Record<string, string>;
}

/** Answers one call of this plane, or refuses it, and writes its line; `work` adds to the line what it learns. */
export async function answering(
  deps: AdminDeps,
  request: Request,
  operation: string,
  work: (call: Credentialed, line: JsonObject) => Promise<Answered>,
): Promise<Response> {
  const call = greet(deps, request);
  const headers = headersFor(request, call.requestId);
  const line: JsonObject = { request_id: call.requestId, operation };
  try {
    const answer = await work(call, line);
    deps.log.info("admin call", { ...line, status: answer.status });
    const { status, body, file } = answer;
    const all = { ...headers, ...answer.headers };
    if (!file) return Response.json(body, { status, headers: all });
    return new Response(file.text, { status, headers: { ...all, "content-type": file.type } });
  } catch (cause) {
    const error = asGatewayError(cause);
    const outcome = { ...line, status: error.status, code: error.kind };
    if (error.kind === "internal_error") {
      deps.log.error("admin call failed", { ...outcome, cause: nameOf(error.cause) });
    } else {
      deps.log.info("admin call", outcome);
    }
    return refusal(error, headers);
  }
}

/** An admin answer may hold a secret that is shown once: nothing on the way may keep it. */
export function headersFor(request: Request, requestId: string): Record<string, string> {
  const own = request.headers.get("x-request-id");
  return { ...idHeaders(requestId, own), "cache-control": "no-store" };
}

/** The error object, and beside it the list of faulty fields where there is one. */
export function refusal(error: GatewayError, headers: Record<string, string>): Response {
  const { message, type, code, param, members, status } = publicError(error);
  const { detail, ...rest } = members;
  const body = {
    error: { message, type, param, code, ...rest },
    ...(detail !== undefined && { detail }),
  };
  return Response.json(body, { status, headers: { ...headers, ...retryHeaders(error) } });
}

function nameOf(cause: unknown): string {
  return cause instanceof Error ? cause.name : typeof cause;
}
