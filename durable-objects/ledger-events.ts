import { sha256 } from "../worker/core/bytes.ts";
import { scopeKey } from "../worker/core/scope.ts";
import type { SettleRow, UsageEvent } from "../worker/core/account.ts";
import type { Scope } from "../worker/core/scope.ts";
import type { Amount } from "../worker/core/amount.ts";
import type { AuditRecord } from "../worker/core/audit.ts";
import { outcomeData, outcomeType } from "../worker/core/audit-data.ts";
import type { OutcomeData } from "../worker/core/audit-data.ts";
import { base62, timePrefix } from "../worker/core/ids.ts";
import type { JsonObject } from "../worker/core/json.ts";
import { blocksAt, budgetAt } from "../worker/core/limits.ts";
import type { Limits, ThresholdName } from "../worker/core/limits.ts";
import { usdText } from "../worker/core/money.ts";
import type { NanoUsd } from "../worker/core/money.ts";
import type { Window } from "./ledger-terms.ts";

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
  const digest = sha256(text);
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
  const { leases: _, holdId: __, apart: ___, names: ____, ...rest } = row;
  return { eventId: ids.usage, row: rest, ...charge };
}

/** The record of a budget that reached a threshold: once per scope, window and threshold, under an id that says so. */
export function budgetRecord(told: {
  scope: Scope;
  row: { windowId: string; settled: Amount };
  limits: Limits;
  window: Window;
  threshold: { name: ThresholdName; amount: NanoUsd };
  entry: { orgId: string; teamId: string | null; requestId: string };
  now: number;
}): AuditRecord {
  const { scope, row, limits, window, threshold, entry, now } = told;
  const most = budgetAt(limits, now);
  const cap = blocksAt(limits, now);
  const exceeded = ["budget", "cap", "refused"].includes(threshold.name);
  return {
    eventId: idOf(
      [entry.orgId, scopeKey(scope), row.windowId, threshold.name, threshold.amount],
      now,
    ),
    type: exceeded ? "budget.exceeded" : "budget.threshold_reached",
    at: now,
    orgId: entry.orgId,
    ...(entry.teamId !== null && { teamId: entry.teamId }),
    actor: "service:gateway",
    requestId: entry.requestId,
    data: {
      scope: scope.kind,
      scope_id: scope.id,
      threshold: threshold.name,
      threshold_usd: usdText(threshold.amount),
      budget_used_usd: usdText(row.settled.cost),
      budget_max_usd: most === null ? null : usdText(most),
      budget_used_pct:
        most === null || most === 0 ? null : Math.floor((row.settled.cost / most) * 100),
      blocks_at_usd: cap === null ? null : usdText(cap),
      reset_at: window.endsAt === null ? null : new Date(window.endsAt).toISOString(),
    },
  };
}

/** The record of a budget that began anew, with what was spent in the window before. */
export function resetRecord(told: {
  scope: Scope;
  before: { settled: Amount };
  windowId: string;
  limits: Limits;
  entry: { orgId: string; teamId: string | null };
  now: number;
}): AuditRecord {
  const { scope, before, windowId, limits, entry, now } = told;
  const most = budgetAt(limits, now);
  return {
    eventId: idOf([entry.orgId, scopeKey(scope), windowId, "reset"], now),
    type: "budget.reset",
    at: now,
    orgId: entry.orgId,
    ...(entry.teamId !== null && { teamId: entry.teamId }),
    actor: "service:gateway",
    data: {
      scope: scope.kind,
      scope_id: scope.id,
      budget_used_usd: usdText(before.settled.cost),
      budget_max_usd: most === null ? null : usdText(most),
    },
  };
}

function idOf(parts: readonly (string | number)[], now: number): string {
  const digest = sha256(parts.join("\0"));
  return `evt_${timePrefix(now)}${base62(digest.subarray(0, ID_BYTES), 14)}`;
}

/** The outcome record that closes a request's decision: ids, counts and codes. */
export function outcomeRecord(
  row: SettleRow,
  charge: Charge,
  ids = eventIdsOf(row, charge.revision),
): AuditRecord {
  const data: OutcomeData = outcomeData({
    status: row.status,
    usage: row.usage,
    cost: charge.charged.cost,
    latencyMs: row.durationMs,
    timeToFirstTokenMs: row.timeToFirstTokenMs ?? null,
    attempts: row.attempts,
    fallbacks: row.fallbacks ?? 0,
  });
  if (charge.estimated) data.estimated = true;
  if (charge.overrun > 0) data.overrun_usd = usdText(charge.overrun);
  if (charge.revision === 2) data.corrects = eventIdsOf(row, 1).outcome;
  const handle = row.keyHandle;
  return {
    eventId: ids.outcome,
    type: outcomeType(row.outcome),
    at: row.startedAt + row.durationMs,
    orgId: row.orgId,
    teamId: row.teamId,
    ...(handle !== undefined && { keyHandle: handle }),
    actor: row.actor ?? (handle === undefined ? "service:gateway" : `key:${handle}`),
    requestId: row.requestId,
    data: data as JsonObject,
  };
}
