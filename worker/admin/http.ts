import type { Context, Env, Hono } from "hono";
import { asGatewayError, GatewayError, publicError, retryHeaders } from "../core/errors.ts";
import { shownOrgId } from "../core/ids.ts";
import { greet, idHeaders } from "../core/greet.ts";
import type { JsonObject } from "../core/json.ts";
import { authenticateAdmin, settleOrg } from "./authenticate.ts";
import { readInput } from "./body.ts";
import { AdminContext } from "./context.ts";
import { mountDocs } from "./docs.ts";
import type { Operation, Route } from "./operation.ts";
import { OPERATIONS } from "./operations/index.ts";
import type { AdminDeps } from "./ports.ts";

/**
 * Mounts every operation, `/openapi.json` and `/docs`. `depsOf` gives the composed world of a request. A known path
 * with another method answers 405 and names the methods that it takes.
 */
export function mountAdmin<E extends Env>(
  app: Hono<E>,
  depsOf: (c: Context<E>) => AdminDeps,
): void {
  const methods = new Map<string, Route["method"][]>();
  for (const operation of OPERATIONS) {
    for (const { method, path } of operation.http) {
      const pattern = path.replaceAll(/\{(\w+)\}/g, ":$1");
      app.on(method, pattern, (c) => serve(depsOf(c), c.req.raw, operation, c.req.param()));
      methods.set(pattern, [...(methods.get(pattern) ?? []), method]);
    }
  }
  for (const [path, allowed] of methods) {
    const allow = allowed.join(", ");
    app.all(path, (c) => {
      const deps = depsOf(c);
      const error = new GatewayError("method_not_allowed", `This endpoint takes ${allow}.`, {
        headers: { allow },
      });
      return refusal(error, headersFor(c.req.raw, greet(deps, c.req.raw).requestId));
    });
  }
  mountDocs(app);
}

/** One admin call, from its credential to its answer. */
async function serve(
  deps: AdminDeps,
  request: Request,
  operation: Operation,
  fromPath: Record<string, string>,
): Promise<Response> {
  const call = greet(deps, request);
  const headers = headersFor(request, call.requestId);
  const line: JsonObject = { request_id: call.requestId, operation: operation.id };
  try {
    const known = await authenticateAdmin(deps, call);
    const input = { ...(await readInput(request)), ...fromPath };
    const named = request.headers.get("x-organization-id")?.trim() || null;
    const caller = await settleOrg(deps, known, operation, named, input);
    const ctx = new AdminContext(deps, caller);
    line.org_id = ctx.orgId === "" ? null : shownOrgId(ctx.orgId);
    line.actor = ctx.actor;
    const answer = await operation.execute(ctx, input);
    const ignored = ignoredFields(operation, input);
    if (ignored !== "") headers["x-routero-ignored-fields"] = ignored;
    const status = operation.status ?? 200;
    deps.log.info("admin call", { ...line, status });
    return Response.json(answer, { status, headers: { ...headers, ...ctx.headers } });
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
function headersFor(request: Request, requestId: string): Record<string, string> {
  const own = request.headers.get("x-request-id");
  return { ...idHeaders(requestId, own), "cache-control": "no-store" };
}

/** Members that the operation does not know: tolerated, never kept, and named so that nobody relies on them. */
function ignoredFields(operation: Operation, input: JsonObject): string {
  return Object.keys(input)
    .filter((name) => !Object.hasOwn(operation.input.shape, name) && /^[\w.-]{1,64}$/.test(name))
    .slice(0, 20)
    .join(", ");
}

/** The error object, and beside it the list of faulty fields where there is one. */
function refusal(error: GatewayError, headers: Record<string, string>): Response {
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
