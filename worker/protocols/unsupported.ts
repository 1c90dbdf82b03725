import type { Sampling } from "../core/chat.ts";
import { GatewayError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";

/** The refusal of something that a target's protocol can't express and that must not be dropped silently. */
export function unsupported(what: string, param: string): GatewayError {
  return new GatewayError(
    "capability_not_supported",
    `${what} cannot be sent to the chosen model, whose provider speaks another protocol.`,
    { param },
  );
}

/** The refusal of a tool that only the caller's own dialect knows. */
export function unsupportedTool({ type }: JsonObject): GatewayError {
  const named = typeof type === "string" ? type : "unknown";
  return new GatewayError(
    "capability_not_supported",
    `The tool of type '${named}' is known to models of its own dialect alone, and the chosen model's provider speaks another protocol: leave it out, or give a function that does the same.`,
    { param: "tools" },
  );
}

/** Refuses more stop sequences than a target takes: with some of them left out an answer would run on. */
export function refuseStops({ stop = [] }: Sampling, most: number): void {
  if (stop.length > most) throw unsupported(`More than ${most} stop sequences`, "stop");
}
