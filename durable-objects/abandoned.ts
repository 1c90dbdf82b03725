import type { AbandonedDecision, LeaseRef } from "../worker/core/account.ts";
import type { AuditRecord } from "../worker/core/audit.ts";
import { isJsonObject } from "../worker/core/json.ts";
import type { Json } from "../worker/core/json.ts";

/** What a decision record tells its ledger when nobody else will; null where it names no request or team. */
export function abandonedDecision(record: AuditRecord): AbandonedDecision | null {
  const { orgId, requestId, data, keyHandle, actor } = record;
  const teamId = text(data.team_id) ?? record.teamId;
  if (requestId === undefined || teamId === undefined) return null;
  const optional = {
    userId: text(data.user_id),
    keyId: text(data.key_id),
    customerId: text(data.customer_id),
    group: text(data.group),
    keyHandle,
  };
  const given = Object.entries(optional).filter(([, value]) => value !== undefined);
  return {
    ...(Object.fromEntries(given) as { [Name in keyof typeof optional]?: string }),
    orgId,
    teamId,
    requestId,
    actor,
    leases: Array.isArray(data.leases) ? data.leases.filter(isLeaseRef) : [],
    model: text(data.model) ?? "",
    endpoint: text(data.endpoint) ?? "",
    stream: data.stream === true,
    decidedAt: record.at,
  };
}

function isLeaseRef(value: unknown): value is LeaseRef & Json {
  if (!isJsonObject(value) || !isJsonObject(value.scope) || !isJsonObject(value.reserved)) {
    return false;
  }
  const { cost, requests, tokens } = value.reserved;
  return typeof value.leaseId === "string" && [cost, requests, tokens].every(Number.isSafeInteger);
}

function text(value: Json | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
