import type { Outcome, UsageEvent } from "../core/account.ts";
import { utcDay } from "../core/time.ts";
import { completionTokens, NO_USAGE, promptTokens } from "../core/usage.ts";
import type { TokenUsage } from "../core/usage.ts";

/** What one event adds to one row of the daily sums; a correction's numbers may be negative. */
export interface UsagePart {
  orgId: string;
  requestId: string;
  /** 1 or 2: each revision of a request is added once. */
  revision: number;
  day: string;
  teamId: string;
  userId: string;
  keyId: string;
  customerId: string;
  group: string;
  model: string;
  provider: string;
  requests: number;
  successes: number;
  failures: number;
  promptTokens: number;
  completionTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
  tokens: number;
  costNano: number;
}

/**
 * An event by providers and models: every attempt counts where it was made, the request where it ended. What takes the
 * place of an estimate takes the estimate out again, so that the parts of all events sum up to what was charged.
 */
export function partsOf(event: UsageEvent): UsagePart[] {
  const { row, charged, delta } = event;
  const parts = row.attempts.map(({ provider, model, usage, cost }) => ({
    ...emptyPart(event),
    ...tokensOf(usage),
    provider,
    model,
    costNano: cost,
  }));
  if (parts.length === 0) {
    parts.push({ ...emptyPart(event), tokens: charged.tokens, costNano: charged.cost });
  }
  const last = parts.at(-1);
  if (last) {
    last.requests = charged.requests;
    last.successes = count(row.outcome, "success");
    last.failures = count(row.outcome, "failure");
  }
  if (event.revision === 2) {
    parts.push({
      ...emptyPart(event),
      requests: delta.requests - charged.requests,
      failures: -1,
      tokens: delta.tokens - charged.tokens,
      costNano: delta.cost - charged.cost,
    });
  }
  return parts;
}

/** Nothing at all, where amounts stand that no attempt accounts for. */
function emptyPart({ row, revision }: UsageEvent): UsagePart {
  return {
    orgId: row.orgId,
    requestId: row.requestId,
    revision,
    day: utcDay(row.startedAt),
    teamId: row.teamId,
    userId: row.userId ?? "",
    keyId: row.keyId ?? "",
    customerId: row.customerId ?? "",
    group: row.group ?? "",
    model: row.model,
    provider: "",
    requests: 0,
    successes: 0,
    failures: 0,
    ...tokensOf(NO_USAGE),
    costNano: 0,
  };
}

function tokensOf(usage: TokenUsage) {
  return {
    promptTokens: promptTokens(usage),
    completionTokens: completionTokens(usage),
    cacheReadTokens: usage.cacheRead,
    cacheWriteTokens: usage.cacheWrite + usage.cacheWriteLong,
    tokens: promptTokens(usage) + completionTokens(usage),
  };
}

function count(outcome: Outcome, wanted: Outcome): number {
  return outcome === wanted ? 1 : 0;
}
