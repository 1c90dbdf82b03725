import type { LedgerPort, LedgerSink, OutboxItem } from "../worker/core/account.ts";
import type { DeliveryPort } from "../worker/core/delivery.ts";

interface Parts {
  /** Usage and records. */
  trail: LedgerSink;
  /** Another ledger of an organization. */
  ledger: (orgId: string, home: string) => Pick<LedgerPort, "debit">;
  /** An organization's subscribers. */
  delivery: (orgId: string) => DeliveryPort;
}

type Debit = Extract<OutboxItem, { kind: "debit" }>;

/** Where everything that leaves a ledger goes: to the trail, the ledgers of what spans teams, and subscribers. */
export function makeLedgerSink({ trail, ledger, delivery }: Parts): LedgerSink {
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
      // A budget's event is a record of the log like any other, and is told besides: it is gone when both have it.
      const rest = batch
        .filter((item) => item.kind !== "debit")
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
        ...[...debits.values()].map((items) => {
          const [first] = items;
          const sent = first ? forward(first.orgId, first.home, items) : [];
          return Promise.resolve(sent).catch((): number[] => []);
        }),
      ]);
      return [...logged.filter((seq) => !untold.has(seq)), ...forwarded.flat()];
    },
  };
}
