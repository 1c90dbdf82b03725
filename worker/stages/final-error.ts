import type { Chosen, Progress } from "../core/call.ts";
import { GatewayError, type ErrorKind, type UpstreamAttempt } from "../core/errors.ts";
import type { FaultClass, UpstreamFault } from "../core/fault.ts";
import { lackOf, needsOf } from "../routing/capability.ts";
import type { AttemptFault } from "./attempt.ts";
import { groupsThat } from "./emptied.ts";
import { expresses } from "./prepare.ts";

const FINAL: Record<FaultClass, ErrorKind> = {
  transient: "no_healthy_deployment",
  connection: "no_healthy_deployment",
  rate_limit: "no_healthy_deployment",
  timeout: "upstream_timeout",
  deployment: "upstream_auth",
  caller: "upstream_rejected",
  missing: "upstream_rejected",
  content_filter: "content_policy_violation",
  context_window: "context_length_exceeded",
  incoherent: "no_healthy_deployment",
  unsupported: "capability_not_supported",
};

/** What the same deployment would answer again, and another one need not. */
const LASTING: ReadonlySet<FaultClass> = new Set([
  "deployment",
  "missing",
  "content_filter",
  "context_window",
]);

/** What the caller is told when nothing is left to try. */
export function finalError(call: Chosen, progress: Progress, last: AttemptFault): GatewayError {
  const { fault } = last;
  if (fault.class === "unsupported") return inexpressible(call, fault);
  const attempts: UpstreamAttempt[] = progress.attempts.map((row) => ({
    provider: row.provider,
    model: row.model,
    deployment: row.deployment,
    status: row.status,
    error: row.error ?? "",
  }));
  const kind = last.unusable ? "upstream_bad_response" : kindOf(call, fault);
  const told = progress.attempts.findLast(
    (row) => row.error === fault.class && row.status === fault.status,
  );
  const provider = told?.provider ?? progress.deployment?.provider ?? "";
  return new GatewayError(kind, publicMessage(kind, fault, provider, attempts.length), {
    ...(fault.param !== undefined && { param: fault.param }),
    ...(kind === "upstream_rejected" && { status: fault.status }),
    ...(fault.retryAfter !== undefined && { retryAfter: fault.retryAfter / 1000 }),
    upstream: { status: fault.status, provider, attempts },
  });
}

/** A refusal is final only where every deployment refuses: one that rests may serve the same request in a moment. */
function kindOf({ explanation: { candidates } }: Chosen, fault: UpstreamFault): ErrorKind {
  const kind = FINAL[fault.class];
  const resting = candidates.some(
    ({ by, state }) => (by === "health" || by === "limit") && state.when === "any",
  );
  return resting && LASTING.has(fault.class) ? "no_healthy_deployment" : kind;
}

/** Nothing was sent anywhere: no deployment of the plan has words for the request. */
function inexpressible(call: Chosen, { message, param }: UpstreamFault): GatewayError {
  const needs = needsOf(call.chat);
  const able = groupsThat(call, (each) => lackOf(each, needs) === null && expresses(call, each));
  const hint = able.length === 0 ? "" : ` ${able.join(", ")} can take it.`;
  return new GatewayError(
    FINAL.unsupported,
    `${message}${hint}`,
    param === undefined ? {} : { param },
  );
}

function publicMessage(
  kind: ErrorKind,
  fault: UpstreamFault,
  provider: string,
  attempts: number,
): string {
  switch (kind) {
    case "upstream_auth":
      if (fault.status === 404) {
        return `The provider '${provider}' does not serve the model that this deployment names: ${fault.message}`;
      }
      if (fault.status !== 401 && fault.status !== 403) {
        return `The provider '${provider}' does not serve the account that is stored for it: ${fault.message}`;
      }
      return `The provider '${provider}' rejected the credential that is stored for it; an administrator has to renew it.`;
    case "no_healthy_deployment":
      return `No deployment could answer (${attempts} ${attempts === 1 ? "attempt" : "attempts"}); '${provider}'${fault.status >= 400 ? " said" : ""}: ${fault.message}`;
    default:
      return fault.message;
  }
}
