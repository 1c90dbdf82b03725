import type * as z from "zod";
import type { AuditEventType } from "../core/audit.ts";
import { GatewayError, type ErrorKind } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { Action, Resource, Subject } from "../core/principal.ts";
import { checkIncrease, withBudget } from "./attached.ts";
import { withModelCounts } from "./model-limits.ts";
import type { AdminContext } from "./context.ts";
import { invalidFields } from "./faults.ts";

export interface Route {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
}

/** What an operation acts on: how far the decision must look, and what `run` gets of it. */
export interface Target<T> {
  /** Several where the call acts on several objects: each has to be allowed, or nothing happens. */
  subject: Subject | readonly Subject[];
  object: T;
}

/** Everything that is known of an operation without running it: documents and routes are made of this. */
export interface OperationFacts {
  /** `<resource>.<verb>`, unique. */
  id: string;
  /** The section of the documents. */
  section: string;
  summary: string;
  /** What the summary leaves open, in sentences. */
  notes?: string;
  http: Route[];
  permission: { resource: Resource; action: Action };
  /** The audit event of the change; null for an operation that changes nothing. */
  event: AuditEventType | null;
  /** True when `organization_id` is data of the call and not the organization it acts in. */
  acrossOrgs?: boolean;
  /** The member that a body of plain text becomes (`text/yaml`); absent = only JSON is taken. */
  text?: string;
  /** The member that names the organization, where that is not `organization_id`. */
  orgFrom?: string;
  status?: number;
  example: { input: Record<string, Json>; output: Json };
  /** Refusals beyond those of every operation. */
  errors: ErrorKind[];
}

interface Spec<I extends z.ZodObject, O extends z.ZodType, T> extends OperationFacts {
  /** Body of a call or query of a GET, and the parameters of the path. */
  input: I;
  output: O;
  /**
   * Finds the object. Null and an object that the caller may not see are refused alike, as `missing` says.
   */
  target: (ctx: AdminContext, input: z.output<I>) => Target<T> | null | Promise<Target<T> | null>;
  missing?: { what: string; param: string };
  run: (ctx: AdminContext, input: z.output<I>, object: T) => Promise<z.input<O>>;
}

export interface Operation extends OperationFacts {
  input: z.ZodObject;
  output: z.ZodType;
  /** Decides, reads the input, finds the object, decides again for that object, and acts. */
  execute: (ctx: AdminContext, value: unknown) => Promise<unknown>;
}

/** Makes an operation. Nobody writes a permission check by hand: it stands between the input and `run`. */
export function operation<I extends z.ZodObject, O extends z.ZodType, T>(
  spec: Spec<I, O, T>,
): Operation {
  const { target, missing, run, ...facts } = spec;
  const { resource, action } = spec.permission;
  const place = spec.http[0]?.method === "GET" ? "query" : "body";
  return {
    ...facts,
    async execute(ctx, value) {
      // Who may do this to nothing at all is told so, before anything is read.
      ctx.require(resource, action, ctx.nearest);
      const parsed = spec.input.safeParse(value);
      if (!parsed.success) throw invalidFields(parsed.error, place);
      const found = await target(ctx, parsed.data);
      const absent = () => notFound(missing?.what ?? "object", missing?.param);
      if (found === null) throw absent();
      for (const subject of [found.subject].flat()) {
        if (ctx.may(resource, action, subject)) continue;
        if (!ctx.may(resource, "read", subject)) throw absent();
        ctx.require(resource, action, subject);
      }
      checkIncrease(ctx.now, parsed.data);
      const named = resource !== "budget";
      const given = withModelCounts(parsed.data, found.object);
      const input = named ? await withBudget(ctx, given, found.object) : given;
      return run(ctx, input, found.object);
    },
  };
}

/** Names of the parameters in a path: `/credentials/{name}` has one. */
export function pathParameters(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
}

/** The answer for what is missing, foreign, or not the caller's to see: the same in every case. */
export function notFound(what: string, param?: string): GatewayError {
  return new GatewayError("not_found", `There is no such ${what}.`, { param });
}

/** The target of an operation that acts on the organization as a whole. */
export function inOrg(ctx: AdminContext): Target<null> {
  return { subject: { orgId: ctx.orgId }, object: null };
}

/** The target of a listing, which leaves out what the caller may not see by itself. */
export function visible(ctx: AdminContext): Target<null> {
  return { subject: ctx.nearest, object: null };
}
