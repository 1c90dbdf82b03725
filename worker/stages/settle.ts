import type { Outcome, SettleRow } from "../core/account.ts";
import type { Chosen, Progress } from "../core/call.ts";
import type { NanoUsd } from "../core/money.ts";
import type { Deps } from "../core/ports.ts";
import { actorOf } from "../core/principal.ts";
import { apartOf, namesBorne } from "./limited.ts";
import { payerOf } from "./payer.ts";

/** How a request ended, as the caller saw it. */
export interface Ending {
  outcome: Outcome;
  status: number;
}

/** The sum over all attempts, failed ones included: each was charged by its provider on its own. */
export function totalCost(progress: Progress): NanoUsd {
  return progress.attempts.reduce((sum, row) => sum + row.cost, 0);
}

/** Debits what was used, once per request; a request that reached no provider gives its hold back instead. */
export async function settle(
  deps: Deps,
  call: Chosen,
  progress: Progress,
  ending: Ending,
): Promise<void> {
  if (progress.attempts.length === 0) {
    if (call.holdId !== undefined) await deps.account.release(call.holdId);
    return;
  }
  await deps.account.settle(rowOf(deps, call, progress, ending));
}

function rowOf(deps: Deps, call: Chosen, progress: Progress, ending: Ending): SettleRow {
  const { principal } = call.identity;
  const payer = payerOf(call);
  const apart = apartOf(call, payer, progress.attempts);
  const served = call.plan.find(({ deployment }) => deployment.id === progress.deployment?.id);
  return {
    ...payer,
    ...(served && { group: served.group }),
    requestId: call.requestId,
    ...(call.holdId !== undefined && { holdId: call.holdId }),
    leases: call.leases,
    ...(apart.length > 0 && { apart }),
    names: namesBorne(call, progress.attempts),
    ...(principal.keyHandle !== undefined && { keyHandle: principal.keyHandle }),
    actor: actorOf(principal),
    model: call.chat.model,
    endpoint: call.endpoint,
    stream: call.chat.stream,
    tags: call.extensions.tags,
    outcome: ending.outcome,
    status: ending.status,
    attempts: progress.attempts,
    ...(progress.fallbacks > 0 && { fallbacks: progress.fallbacks }),
    usage: progress.usage,
    cost: totalCost(progress),
    startedAt: call.receivedAt,
    durationMs: deps.now() - call.receivedAt,
    ...(progress.firstContentAt !== null && { timeToFirstTokenMs: progress.firstContentAt }),
  };
}
