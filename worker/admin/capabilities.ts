import * as z from "zod";
import { GatewayError } from "../core/errors.ts";
import { reference } from "./fields.ts";

/** The field of what carries a bundle of capabilities. */
export const POLICY = {
  policy_id: reference.nullish().describe("A bundle of capabilities; there are none yet"),
};

/** Capabilities that callers ask for when they make a team or a key. */
export const CAPABILITIES = {
  ...POLICY,
  guardrails: z
    .array(reference)
    .max(64, "At most 64 guardrails")
    .nullish()
    .describe("Guardrails of every request; there are none yet"),
};

/**
 * Refuses what does not exist, which today is every capability: a guardrail that is asked for and dropped would leave
 * its maker believing in it.
 */
export function requireCapabilities(asked: {
  policy_id?: string | null | undefined;
  guardrails?: string[] | null | undefined;
}): void {
  if (asked.policy_id != null) throw missing("policy_id", "policy");
  if (asked.guardrails != null && asked.guardrails.length > 0) {
    throw missing("guardrails[0]", "guardrail");
  }
}

function missing(param: string, what: string): GatewayError {
  return new GatewayError("feature_not_found", `${param}: there is no such ${what} here.`, {
    param,
  });
}
