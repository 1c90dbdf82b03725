import type * as z from "zod";
import { GatewayError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";

/** One fault of an input, as clients of the management API read it. */
interface Fault extends JsonObject {
  loc: (string | number)[];
  msg: string;
  type: string;
}

/** Faults beyond these are left out: a hostile body must not buy a long answer. */
const MOST_FAULTS = 20;
const LONGEST_NAME = 64;

/** The refusal of an input that does not fit its schema; it names places and rules, and quotes no value. */
export function invalidFields(error: z.ZodError, place: "body" | "query"): GatewayError {
  const detail = error.issues.slice(0, MOST_FAULTS).map((issue): Fault => {
    const loc = issue.path.map((part) =>
      typeof part === "number" ? part : String(part).slice(0, LONGEST_NAME),
    );
    return { loc: [place, ...loc], msg: sentence(issue), type: kind(issue) };
  });
  const [first] = detail;
  const param = pathText(first?.loc.slice(1) ?? []);
  const message = param === "" ? `${first?.msg}` : `${param}: ${first?.msg}`;
  return new GatewayError("invalid_fields", message, {
    param: param === "" ? undefined : param,
    members: { detail },
  });
}

/** The same refusal for a rule that no schema can hold. */
export function invalidField(
  path: (string | number)[],
  msg: string,
  place: "body" | "query" = "body",
): GatewayError {
  const param = pathText(path);
  const detail: Fault[] = [{ loc: [place, ...path], msg, type: "value_error" }];
  return new GatewayError("invalid_fields", `${param}: ${msg}`, { param, members: { detail } });
}

/** The refusal to give a key what its maker does not have. */
export function wider(param: string, what: string): GatewayError {
  return new GatewayError("forbidden", `${param}: a key can't grant ${what}.`, { param });
}

function pathText(path: (string | number)[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? part : `${text}.${part}`;
  }, "");
}

function kind(issue: z.core.$ZodIssue): string {
  if (isMissing(issue)) return "missing";
  return issue.code === "invalid_type" ? `${issue.expected}_type` : "value_error";
}

function sentence(issue: z.core.$ZodIssue): string {
  if (isMissing(issue)) return "Field required";
  if (issue.code === "invalid_type") return `Input should be a valid ${issue.expected}`;
  return issue.message;
}

function isMissing(issue: z.core.$ZodIssue): boolean {
  return issue.code === "invalid_type" && issue.message.endsWith("received undefined");
}
