import type { OutboxItem } from "./account.ts";
import type { AuditRecord } from "./audit.ts";

/** What travels on the trail queue: one group of an organization's records, or a part of a ledger's outbox. */
export type TrailMessage = { orgId: string; records: AuditRecord[] } | { items: OutboxItem[] };

/** The most that one message may hold, in bytes of its JSON; the queue takes 128 KB. */
export const MAX_MESSAGE_BYTES = 100_000;
