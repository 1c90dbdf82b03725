import type { LedgerPort, LedgerSink, OutboxItem } from "../worker/core/account.ts";
import type { AuditRecord } from "../worker/core/audit.ts";

interface Parts {
  /** Usage and records. */
  trail: LedgerSink;
  /** Another ledger of an organization. */
  ledger: (orgId: string, home: string) => Pick<LedgerPort, "debit">;
  /** Tells whoever subscribed; best effort, and nothing waits for it. */
  tell: (record: AuditRecord) => void;
}

type Debit = Extract<OutboxItem, { kind: "debit" }>;

/** Where everything that leaves a ledger goes: to the trail, to the ledgers of what spans teams, and to subscribers. */
export function makeLedgerSink({ trail, ledger, tell }: Parts): LedgerSink {
  const forward = async (orgId: string, home: string, items: Debit[]): Promise<number[]> => {
    await ledger(orgId, home).debit(items.map(({ debit }) => debit));
    return items.map(({ seq }) => seq);
  };
  return {
    async deliver(batch) {
      const debits = Map.groupBy(
        batch.filter((item) => item.kind === "debit"),
        ({ orgId, home }) => `${orgId} ${home}`,
      );
      const alerts = batch.filter((item) => item.kind === "alert");
      // A budget's event is a record of the log like any other.
      const rest = batch
        .filter((item) => item.kind !== "debit")
        .map((item) => (item.kind === "alert" ? { ...item, kind: "outcome" as const } : item));
      const parts = await Promise.allSettled([
        rest.length > 0 ? trail.deliver(rest) : [],
        ...[...debits.values()].map((items) => {
          const [first] = items;
          return first ? forward(first.orgId, first.home, items) : [];
        }),
      ]);
      const durable = parts.flatMap((part) => (part.status === "fulfilled" ? part.value : []));
      const sent = new Set(durable);
      for (const { seq, record } of alerts) if (sent.has(seq)) tell(record);
      return durable;
    },
  };
}
