import type { Sampling } from "../core/chat.ts";
import { GatewayError } from "../core/errors.ts";

/** The refusal of something that a target's protocol can't express and that must not be dropped silently. */
export function unsupported(what: string, param: string): GatewayError {
  return new GatewayError(
    "capability_not_supported",
    `${what} cannot be sent to the chosen model, whose provider speaks another protocol.`,
    { param },
  );
}

/** Refuses more stop sequences than a target takes: with some of them left out an answer would run on. */
export function refuseStops({ stop = [] }: Sampling, most: number): void {
  if (stop.length > most) throw unsupported(`More than ${most} stop sequences`, "stop");
}
