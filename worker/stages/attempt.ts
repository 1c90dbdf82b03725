import type { AttemptRow } from "../core/account.ts";
import { beginningOf } from "../core/body.ts";
import type { Chosen, Progress } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import type { FaultClass, UpstreamFault } from "../core/fault.ts";
import type { AnnouncedLimits } from "../core/health.ts";
import type { Deployment } from "../core/model.ts";
import { costOf } from "../core/money.ts";
import type { Deps } from "../core/ports.ts";
import { completionTokens, NO_USAGE, promptTokens, type TokenUsage } from "../core/usage.ts";
import type { Protocol } from "../protocols/protocol.ts";
import { mayPass } from "../routing/walk.ts";

/** A failed attempt: why, in the classes of PROTOCOLS 6. Its message is public text. */
export class AttemptFault extends Error {
  readonly fault: UpstreamFault;
  /** The answer itself was unusable, as against a refusal or a silent provider. */
  readonly unusable: boolean;

  constructor(fault: UpstreamFault, unusable = false) {
    super(fault.message);
    this.name = "AttemptFault";
    this.fault = fault;
    this.unusable = unusable;
  }
}

/** An answer that the provider ended as faulty (a tool call that it could not read, say): another try may not be. */
export function faulty(): AttemptFault {
  return new AttemptFault(
    {
      class: "transient",
      status: 200,
      message: "The provider ended its answer as faulty, so that it is not whole.",
    },
    true,
  );
}

/**
 * Any failure as a fault: a provider's own, an unusable answer, a request that can't be put to it, or whatever else
 * stood in the way. The gateway's own refusals end the request: they are thrown on, after a call of `close`.
 */
export function asFault(cause: unknown, close: () => void): AttemptFault {
  if (cause instanceof AttemptFault) return cause;
  if (cause instanceof GatewayError) {
    if (cause.kind === "capability_not_supported") return notSaid(cause);
    if (cause.kind !== "upstream_bad_response") {
      close();
      throw cause;
    }
    return new AttemptFault({ class: "transient", status: 200, message: cause.message }, true);
  }
  // Nothing that the provider did: another deployment may be served all the same.
  const name = cause instanceof Error ? cause.name : typeof cause;
  return new AttemptFault({
    class: "transient",
    status: 0,
    message: `The gateway could not put the request to this deployment, or read its answer (${name}).`,
  });
}

/** The target's protocol can't express the request: another deployment's may. */
function notSaid({ message, detail: { param } }: GatewayError): AttemptFault {
  const fault = { class: "unsupported", status: 0, message } as const;
  return new AttemptFault(param === undefined ? fault : { ...fault, param });
}

/**
 * Of two failures the one that the caller is told of if no more follow: the later one, unless nothing was sent to its
 * deployment, or the earlier one may pass and the later one will not: then it is worth trying again.
 */
export function tellable(earlier: AttemptFault | null, later: AttemptFault): AttemptFault {
  if (earlier === null || later.fault.class === "caller") return later;
  if (later.fault.class === "unsupported") return earlier;
  const [one, other] = [earlier.fault, later.fault].map((fault) =>
    fault.class === "rate_limit" ? fault.retryAfter : undefined,
  );
  if (one !== undefined && other !== undefined) {
    // Whoever is free first may serve the next request.
    return new AttemptFault({ ...later.fault, retryAfter: Math.min(one, other) }, later.unusable);
  }
  return mayPass(earlier.fault.class) && !mayPass(later.fault.class) ? earlier : later;
}

/** Reads a refusal; 3xx counts as an unusable answer, since redirects are never followed. */
export async function refusalOf(response: Response, protocol: Protocol): Promise<AttemptFault> {
  if (response.status < 400) {
    await response.body?.cancel();
    return new AttemptFault(
      {
        class: "transient",
        status: response.status,
        message: `The provider answered with status ${response.status}, which is not an answer.`,
      },
      true,
    );
  }
  const body = await beginningOf(response.body);
  return new AttemptFault(protocol.provider.parseError(response.status, response.headers, body));
}

/** How an attempt ended; `error` is absent for an answer. */
export interface AttemptResult {
  status: number;
  usage?: TokenUsage;
  error?: FaultClass | "cancelled";
  /** False where the attempt ended before anything was sent to the provider. */
  sent: boolean;
  /** Milliseconds that the provider asks to wait. */
  retryAfter?: number | undefined;
  /** Milliseconds that it had, where that was less than others are given. */
  early?: number | undefined;
  /** What the provider said of its limits. */
  limits?: AnnouncedLimits | undefined;
}

/** A wait this many times as long as a deployment usually takes, and as long at all, tells that it is silent. */
const UNUSUAL = 5;
const UNUSUAL_MS = 2_000;

/** True of a timeout that shows a caller's impatience rather than a silent deployment. */
function tellsNothing(
  deps: Pick<Deps, "health">,
  call: Pick<Chosen, "identity">,
  deployment: Deployment,
  { early }: AttemptResult,
): boolean {
  if (early === undefined) return false;
  const { latency } = deps.health.standing(call.identity.principal.orgId, deployment);
  return latency === null || early < Math.max(UNUSUAL_MS, UNUSUAL * latency);
}

/** Adds the row of a finished attempt to the progress, and tells the deployment's health of it. */
export function record(
  deps: Pick<Deps, "health">,
  call: Pick<Chosen, "identity" | "plan">,
  progress: Progress,
  deployment: Deployment,
  times: { startedAt: number; endedAt: number; firstContentAt?: number | null },
  result: AttemptResult,
): void {
  const usage = result.usage ?? NO_USAGE;
  const { prices } = deployment.facts;
  const row: AttemptRow = {
    n: progress.attempts.length,
    deployment: deployment.id,
    provider: deployment.provider,
    model: deployment.model,
    usage,
    cost: prices === undefined ? 0 : costOf(usage, prices),
    priceKnown: prices !== undefined,
    status: result.status,
    startedAt: times.startedAt,
    durationMs: times.endedAt - times.startedAt,
  };
  if (result.error !== undefined) row.error = result.error;
  if (!result.sent) row.sent = false;
  if (times.firstContentAt) row.timeToFirstTokenMs = times.firstContentAt - times.startedAt;
  progress.attempts.push(row);
  const breaker = call.plan.find((step) => step.deployment.id === deployment.id)?.breaker;
  if (breaker === undefined) return;
  const answeredAt = times.firstContentAt ?? times.endedAt;
  deps.health.ended(
    call.identity.principal.orgId,
    deployment,
    {
      fault: tellsNothing(deps, call, deployment, result) ? "cancelled" : (result.error ?? null),
      status: result.status,
      latency: result.error === undefined ? answeredAt - times.startedAt : null,
      tokens: promptTokens(usage) + completionTokens(usage),
      ...(result.retryAfter !== undefined && { retryAfter: result.retryAfter }),
      ...(result.limits !== undefined && { limits: result.limits }),
    },
    breaker,
  );
}
