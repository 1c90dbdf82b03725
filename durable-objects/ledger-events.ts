import { createHash } from "node:crypto";
import type { SettleRow, UsageEvent } from "../worker/core/account.ts";
import type { AuditEventType, AuditRecord } from "../worker/core/audit.ts";
import { base62, timePrefix } from "../worker/core/ids.ts";
import type { JsonObject } from "../worker/core/json.ts";
import { usdText } from "../worker/core/money.ts";
import { completionTokens, promptTokens } from "../worker/core/usage.ts";

/** Bytes of a digest behind an event id; 14 characters hold them. */
const ID_BYTES = 10;

export interface EventIds {
  usage: string;
  outcome: string;
}

/**
 * The event ids of a request's row, in the form of all event ids: they sort by the request's beginning, and every
 * repetition of the row makes the same ones.
 */
export function eventIdsOf(
  row: Pick<SettleRow, "orgId" | "requestId" | "startedAt">,
  revision: 1 | 2,
): EventIds {
  const text = `${row.orgId}\0${row.requestId}\0${revision}`;
  const digest = new Uint8Array(createHash("sha256").update(text).digest());
  const idAt = (at: number) =>
    `evt_${timePrefix(row.startedAt)}${base62(digest.subarray(at, at + ID_BYTES), 14)}`;
  return { usage: idAt(0), outcome: idAt(ID_BYTES) };
}

/** How a settlement counts: what it charges, and what it takes the place of. */
export type Charge = Pick<
  UsageEvent,
  "revision" | "charged" | "delta" | "estimated" | "overrun" | "settledAt"
>;

export function usageEvent(
  row: SettleRow,
  charge: Charge,
  ids = eventIdsOf(row, charge.revision),
): UsageEvent {
  const { leases: _, holdId: __, ...rest } = row;
  return { eventId: ids.usage, row: rest, ...charge };
}

const OUTCOME_EVENTS: Record<SettleRow["outcome"], AuditEventType> = {
  success: "request.completed",
  cancelled: "request.cancelled",
  failure: "request.failed",
  refused: "request.failed",
};

/** The outcome record that closes a request's decision: ids, counts and codes, as CONTRACT 7.1 lists them. */
export function outcomeRecord(
  row: SettleRow,
  charge: Charge,
  ids = eventIdsOf(row, charge.revision),
): AuditRecord {
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
  if (charge.revision === 2) data.corrects = eventIdsOf(row, 1).outcome;
  const handle = row.keyHandle;
  return {
    eventId: ids.outcome,
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
