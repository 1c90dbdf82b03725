import type { LedgerSink } from "../core/account.ts";
import type { AuditRecord } from "../core/audit.ts";
import { makeD1Audit } from "./audit-d1.ts";
import { prepared } from "./changes.ts";
import { settleRequest } from "./request-log.ts";

/** Writes what leaves a ledger into the request's row in D1: its money once, and its outcome in its place. */
export function makeD1Sink(d1: D1Database): LedgerSink {
  const audit = makeD1Audit(d1);
  return {
    async deliver(batch) {
      const durable: number[] = [];
      const outcomes: { seq: number; record: AuditRecord }[] = [];
      const rows = batch.flatMap((item) => {
        if (item.kind === "outcome") outcomes.push(item);
        return item.kind === "usage" ? [item] : [];
      });
      if (rows.length > 0) {
        await d1.batch(
          rows.map(({ event }) =>
            prepared(d1, settleRequest({ ...event.row, leases: [] }, event.settledAt)),
          ),
        );
        durable.push(...rows.map((item) => item.seq));
      }
      const results = await audit.append(outcomes.map((each) => each.record));
      outcomes.forEach(({ seq }, at) => {
        if (results[at]?.ok === true) durable.push(seq);
      });
      return durable;
    },
  };
}
