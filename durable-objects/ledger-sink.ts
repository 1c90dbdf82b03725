import type { LedgerPort, LedgerSink, OutboxItem } from "../worker/core/account.ts";
import type { DeliveryPort } from "../worker/core/delivery.ts";

interface Parts {
  /** Usage and records. */
  trail: LedgerSink;
  /** Another ledger of an organization. */
  ledger: (orgId: string, home: string) => Pick<LedgerPort, "debit" | "spent">;
  /** An organization's subscribers. */
  delivery: (orgId: string) => DeliveryPort;
}

type Debit = Extract<OutboxItem, { kind: "debit" }>;
type Spending = Extract<OutboxItem, { kind: "spent" }>;

/** Where everything that leaves a ledger goes: to the trail, the ledgers of what spans teams, and subscribers. */
export function makeLedgerSink({ trail, ledger, delivery }: Parts): LedgerSink {
  const forward = async (items: readonly (Debit | Spending)[]): Promise<number[]> => {
    const [first] = items;
    if (first === undefined) return [];
    const to = ledger(first.orgId, first.home);
    const debits = items.filter((item) => item.kind === "debit");
    const spent = items.filter((item) => item.kind === "spent");
    if (debits.length > 0) await to.debit(debits.map(({ debit }) => debit));
    if (spent.length > 0) {
      await to.spent(spent.map(({ from, seq, spent }) => ({ from, seq, spent })));
    }
    return items.map(({ seq }) => seq);
  };
  return {
    async deliver(batch) {
      const forwards = Map.groupBy(
        batch.filter((item) => item.kind === "debit" || item.kind === "spent"),
        ({ orgId, home }) => `${orgId} ${home}`,
      );
      const alerts = batch.filter((item) => item.kind === "alert");
      // A budget's event is a record of the log like any other, and is told besides: it is gone when both have it.
      const rest = batch
        .filter((item) => item.kind !== "debit" && item.kind !== "spent")
        .map((item) => (item.kind === "alert" ? { ...item, kind: "outcome" as const } : item));
      const told = Promise.all(
        [...Map.groupBy(alerts, ({ record }) => record.orgId)].map(([orgId, items]) =>
          delivery(orgId).tell(items.map(({ record }) => record)),
        ),
      );
      const [logged, untold, ...forwarded] = await Promise.all([
        rest.length > 0 ? trail.deliver(rest).catch((): number[] => []) : [],
        told.then(
          () => new Set<number>(),
          () => new Set(alerts.map(({ seq }) => seq)),
        ),
        ...[...forwards.values()].map((items) => forward(items).catch((): number[] => [])),
      ]);
      return [...logged.filter((seq) => !untold.has(seq)), ...forwarded.flat()];
    },
  };
}
