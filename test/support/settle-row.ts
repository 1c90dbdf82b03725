import type { HoldRequest, LeaseRef, SettleRow } from "../../worker/core/account.ts";
import { NO_USAGE } from "../../worker/core/usage.ts";

export const ORG = "g000000000000";
export const TEAM = "t1";

/** A row of one attempt that cost so much and used so many prompt tokens, or of none at all. */
export function rowOf(
  request: Pick<HoldRequest, "orgId" | "teamId" | "requestId">,
  keyId: string,
  leases: LeaseRef[],
  amount: { cost: number; tokens: number } | null,
  startedAt: number,
): SettleRow {
  const { orgId, teamId, requestId } = request;
  const usage = { ...NO_USAGE, input: amount?.tokens ?? 0 };
  const attempt = { n: 1, deployment: "d", provider: "p", model: "m", usage, status: 200 };
  const { cost = 0 } = amount ?? {};
  return {
    requestId,
    orgId,
    teamId,
    keyId,
    leases,
    model: "m",
    endpoint: "chat",
    stream: false,
    tags: [],
    outcome: "success",
    status: 200,
    attempts: amount ? [{ ...attempt, cost, priceKnown: true, startedAt, durationMs: 1 }] : [],
    usage,
    cost,
    startedAt,
    durationMs: 1,
  };
}
