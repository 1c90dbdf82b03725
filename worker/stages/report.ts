import type { Authenticated, Authorized, Chosen, Credentialed, Progress } from "../core/call.ts";
import type { GatewayError } from "../core/errors.ts";
import { shownOrgId } from "../core/ids.ts";
import { usdText } from "../core/money.ts";
import type { Deps } from "../core/ports.ts";
import { completionTokens, promptTokens } from "../core/usage.ts";
import { totalCost, type Ending } from "./settle.ts";

/** How far a request came, whatever happened then. */
export type Reached =
  | Credentialed
  | Authenticated<Credentialed>
  | Authenticated
  | Authorized
  | Chosen;

/**
 * The gateway's own share of the time so far: when no attempt ran, nor one that failed was waited out. Attempts may run
 * beside each other.
 */
export function overheadOf(deps: Deps, reached: Reached, progress: Progress): number {
  const now = deps.now();
  const spans = [
    ...progress.attempts.map(({ startedAt, durationMs, waitMs = 0 }) => ({
      from: startedAt,
      to: startedAt + durationMs + waitMs,
    })),
    ...progress.running.map((from) => ({ from, to: now })),
  ].toSorted((a, b) => a.from - b.from);
  let own = 0;
  let at = reached.receivedAt;
  for (const { from, to } of spans) {
    own += Math.max(0, from - at);
    at = Math.max(at, to);
  }
  return own + Math.max(0, now - at);
}

/** Tells of a request that ended: one canonical line of ids, counts and codes, and the counters. */
export function report(
  deps: Deps,
  reached: Reached,
  progress: Progress,
  ending: Ending,
  error?: GatewayError,
): void {
  const identity = "identity" in reached ? reached.identity.principal : undefined;
  // Only a name that resolved: anything else is text that the caller chose.
  const model = "plan" in reached ? reached.model : null;
  const provider = progress.deployment?.provider ?? null;
  const durationMs = deps.now() - reached.receivedAt;
  const cost = totalCost(progress);
  const overheadMs = overheadOf(deps, reached, progress);
  deps.log.info("request", {
    request_id: reached.requestId,
    org_id: identity === undefined ? null : shownOrgId(identity.orgId),
    team_id: identity?.teamId ?? null,
    key: identity?.keyHandle ?? null,
    customer_id: "extensions" in reached ? (reached.extensions.customerId ?? null) : null,
    model,
    provider,
    deployment: progress.deployment?.id ?? null,
    outcome: ending.outcome,
    status: ending.status,
    code: error?.kind ?? null,
    tokens_input: promptTokens(progress.usage),
    tokens_output: completionTokens(progress.usage),
    cost_usd: usdText(cost),
    attempts: progress.attempts.length,
    time_to_first_token_ms: progress.firstContentAt,
    overhead_ms: overheadMs,
    duration_ms: durationMs,
  });
  deps.metrics.request({
    model,
    provider,
    status: ending.status,
    code: error?.kind ?? null,
    usage: progress.usage,
    cost,
    durationMs,
    overheadMs,
    timeToFirstTokenMs: progress.firstContentAt,
    attempts: progress.attempts.length,
  });
}
