import * as z from "zod";
import type { Context, Env, Hono } from "hono";
import { GatewayError } from "../core/errors.ts";
import { shownOrgId } from "../core/ids.ts";
import { greet } from "../core/greet.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { answering, headersFor, refusal } from "./answering.ts";
import { authenticateAdmin, settleOrg } from "./authenticate.ts";
import { readInput } from "./body.ts";
import { AdminContext } from "./context.ts";
import { mountDocs } from "./docs/page.ts";
import { mountInvitation } from "./invitation.ts";
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
      return refusal(wrongMethod(allow), headersFor(c.req.raw, greet(deps, c.req.raw).requestId));
    });
  }
  mountInvitation(app, depsOf);
  mountDocs(app);
}

/** The refusal of a path that is known by other methods. */
export function wrongMethod(allow: string): GatewayError {
  return new GatewayError("method_not_allowed", `This endpoint takes ${allow} requests.`, {
    headers: { allow },
  });
}

/** One admin call, from its credential to its answer. */
function serve(
  deps: AdminDeps,
  request: Request,
  operation: Operation,
  fromPath: Record<string, string>,
): Promise<Response> {
  return answering(deps, request, operation.id, async (call, line) => {
    const known = await authenticateAdmin(deps, call);
    const input = { ...(await readInput(request, operation.text)), ...fromPath };
    const ifMatch = request.headers.get("if-match");
    if (ifMatch !== null && "if_match" in operation.input.shape) input.if_match = ifMatch;
    const named = request.headers.get("x-organization-id")?.trim() || null;
    const caller = await settleOrg(deps, known, operation, named, input);
    const ctx = new AdminContext(deps, caller, new URL(request.url).origin);
    line.org_id = ctx.orgId === "" ? null : shownOrgId(ctx.orgId);
    line.actor = ctx.actor;
    const body = await operation.execute(ctx, input);
    const ignored = ignoredFields(operation, input);
    return {
      status: operation.status ?? 200,
      body,
      file: ctx.file,
      headers: { ...(ignored !== "" && { "x-routero-ignored-fields": ignored }), ...ctx.headers },
    };
  });
}

/** Members that the operation does not know: tolerated, never kept, and named so that nobody relies on them. */
function ignoredFields(operation: Operation, input: JsonObject): string {
  return strangers(operation.input, input)
    .filter((path) => /^[\w.-]{1,128}$/.test(path))
    .slice(0, 20)
    .join(", ");
}

/** Paths of members that an object's schema does not know, inside of those that it knows as objects too. */
function strangers(schema: z.ZodObject, input: JsonObject): string[] {
  return Object.entries(input).flatMap(([name, value]) => {
    if (!Object.hasOwn(schema.shape, name)) return [name];
    const inner = objectIn(schema.shape[name]);
    if (inner === null || !isJsonObject(value)) return [];
    return strangers(inner, value).map((path) => `${name}.${path}`);
  });
}

/** What an optional member's own members are, where those that it does not know are dropped. */
function objectIn(schema: unknown): z.ZodObject | null {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    return objectIn(schema.unwrap());
  }
  return schema instanceof z.ZodObject && schema.def.catchall === undefined ? schema : null;
}
