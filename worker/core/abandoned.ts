import type { AbandonedDecision, LeaseRef } from "./account.ts";
import { isAmount } from "./amount.ts";
import { DECISION } from "./audit.ts";
import type { AuditRecord } from "./audit.ts";

/** What a decision record says of money, for the ledger to charge it when no outcome came; null for any other record. */
export function abandonedDecision(record: AuditRecord): AbandonedDecision | null {
  const { type, orgId, requestId, keyHandle, actor, at, data } = record;
  const teamId = text(data.team_id);
  if (type !== DECISION || requestId === undefined || teamId === undefined) return null;
  const userId = text(data.user_id);
  const keyId = text(data.key_id);
  const customerId = text(data.customer_id);
  const group = text(data.group);
  return {
    orgId,
    teamId,
    requestId,
    actor,
    ...(userId !== undefined && { userId }),
    ...(keyId !== undefined && { keyId }),
    ...(keyHandle !== undefined && { keyHandle }),
    ...(customerId !== undefined && { customerId }),
    ...(group !== undefined && { group }),
    model: text(data.model) ?? "",
    endpoint: text(data.endpoint) ?? "",
    stream: data.stream === true,
    leases: Array.isArray(data.leases) ? (data.leases as unknown[]).filter(isLeaseRef) : [],
    decidedAt: at,
  };
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isLeaseRef(value: unknown): value is LeaseRef {
  const ref = value as Partial<LeaseRef> | null;
  return (
    typeof ref?.leaseId === "string" &&
    typeof ref.windowId === "string" &&
    typeof ref.scope?.kind === "string" &&
    typeof ref.scope.id === "string" &&
    isAmount(ref.reserved)
  );
}
