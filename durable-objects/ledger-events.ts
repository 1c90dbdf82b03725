import { createHash } from "node:crypto";
import type { SettleRow, UsageEvent } from "../worker/core/account.ts";
import type { AuditEventType, AuditRecord } from "../worker/core/audit.ts";
import { base62, timeOrderedId } from "../worker/core/ids.ts";
import type { JsonObject } from "../worker/core/json.ts";
import { usdText } from "../worker/core/money.ts";
import { completionTokens, promptTokens } from "../worker/core/usage.ts";

const TIME_CHARACTERS = 8;

/** An event id that every repetition of a row makes again; it sorts by the request's beginning. */
export function eventIdOf(
  row: Pick<SettleRow, "orgId" | "requestId" | "startedAt">,
  kind: "usage" | "outcome",
  revision: 1 | 2,
): string {
  const digest = createHash("sha256")
    .update(`${row.orgId}\0${row.requestId}\0${kind}\0${revision}`)
    .digest();
  const time = timeOrderedId(row.startedAt).slice(0, TIME_CHARACTERS);
  return `evt_${time}${base62(new Uint8Array(digest.subarray(0, 10)), 14)}`;
}

/** How a settlement counts: what it charges, and what it takes the place of. */
export type Charge = Pick<
  UsageEvent,
  "revision" | "charged" | "delta" | "estimated" | "overrun" | "settledAt"
>;

export function usageEvent(row: SettleRow, charge: Charge): UsageEvent {
  const { leases: _, holdId: __, ...rest } = row;
  return { eventId: eventIdOf(row, "usage", charge.revision), row: rest, ...charge };
}

const OUTCOME_EVENTS: Record<SettleRow["outcome"], AuditEventType> = {
  success: "request.completed",
  cancelled: "request.cancelled",
  failure: "request.failed",
  refused: "request.failed",
};

/** The outcome record that closes a request's decision: ids, counts and codes, as CONTRACT 7.1 lists them. */
export function outcomeRecord(row: SettleRow, charge: Charge): AuditRecord {
  const last = row.attempts.at(-1);
  const data: JsonObject = {
    status: row.status,
    provider: last?.provider ?? null,
    deployment: last?.deployment ?? null,
    tokens_input: promptTokens(row.usage),
    tokens_output: completionTokens(row.usage),
    usage_estimated: row.usage.estimated,
    cost_usd: usdText(charge.charged.cost),
    latency_ms: row.durationMs,
    time_to_first_token_ms: row.timeToFirstTokenMs ?? null,
    attempts: row.attempts.map((each): JsonObject => ({
      deployment: each.deployment,
      status: each.status,
      error: each.error ?? null,
      cost_usd: usdText(each.cost),
      duration_ms: each.durationMs,
    })),
  };
  if (charge.estimated) data.estimated = true;
  if (charge.overrun > 0) data.overrun_usd = usdText(charge.overrun);
  if (charge.revision === 2) data.corrects = eventIdOf(row, "outcome", 1);
  const handle = row.keyHandle;
  return {
    eventId: eventIdOf(row, "outcome", charge.revision),
    type: OUTCOME_EVENTS[row.outcome],
    at: row.startedAt + row.durationMs,
    orgId: row.orgId,
    teamId: row.teamId,
    ...(handle !== undefined && { keyHandle: handle }),
    actor: row.actor ?? (handle === undefined ? "service:gateway" : `key:${handle}`),
    requestId: row.requestId,
    data,
  };
}
