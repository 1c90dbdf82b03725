import type { AbandonedDecision, LeaseRef } from "../worker/core/account.ts";
import { most } from "../worker/core/amount.ts";
import { scopeKey } from "../worker/core/scope.ts";
import type { AuditRecord } from "../worker/core/audit.ts";
import { isJsonObject } from "../worker/core/json.ts";
import type { Json } from "../worker/core/json.ts";

/** Members of a decision's data that its ledger is told, should its request die. */
const TOLD = [
  "team_id",
  "user_id",
  "key_id",
  "customer_id",
  "group",
  "leases",
  "model",
  "endpoint",
  "stream",
] as const;

/** What of a decision is kept until its outcome is there, as it came. */
export function openDecision(record: AuditRecord): AuditRecord {
  const kept = TOLD.flatMap((name) => {
    const value = record.data[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...record, data: Object.fromEntries(kept) };
}

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

/** The decision with all that its request came to hold: of each lease the most that any of its records says. */
export function raisedDecision(record: AuditRecord, raises: readonly Json[]): AuditRecord {
  if (raises.length === 0) return record;
  const held = new Map<string, LeaseRef>();
  for (const leases of [record.data["leases"] ?? [], ...raises]) {
    for (const ref of Array.isArray(leases) ? leases.filter(isLeaseRef) : []) {
      const key = `${ref.leaseId} ${scopeKey(ref.scope)}`;
      const known = held.get(key);
      held.set(key, known ? { ...known, reserved: most(known.reserved, ref.reserved) } : ref);
    }
  }
  return { ...record, data: { ...record.data, leases: [...held.values()] as unknown as Json[] } };
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
