import type { Progress } from "../core/call.ts";
import { NO_USAGE } from "../core/usage.ts";

/** The progress of a request for which nothing was tried yet. */
export function noProgress(): Progress {
  return {
    attempts: [],
    running: [],
    deployment: null,
    usage: NO_USAGE,
    retries: 0,
    fallbacks: 0,
    degraded: [],
    firstContentAt: null,
    recordings: [],
  };
}
