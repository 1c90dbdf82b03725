import type { LedgerSink, OutboxItem, UsageEvent } from "../core/account.ts";
import type { AuditLogPort } from "../core/audit.ts";
import { prepared, writeOutcome } from "./changes.ts";
import { makeQuarantine } from "./quarantine.ts";
import { writeUsage } from "./usage-rows.ts";
import type { Filed } from "./usage-rows.ts";
import { writeSegments } from "./usage-segments.ts";
import type { Archive } from "./usage-segments.ts";

/** What the record of usage and outcomes is written to. */
export interface TrailStores {
  d1: D1Database;
  archive: Pick<Archive, "put">;
  /** Prefix of an organization's objects in the archive. */
  prefixOf: (orgId: string) => string;
  auditLog: (orgId: string) => Pick<AuditLogPort, "append">;
  /** Told of each object that was set aside: an operator has to look at it. */
  alert: (message: string, fields: { object: string; reason: string }) => void;
}

type Usage = Extract<OutboxItem, { kind: "usage" }>;
type Outcome = Extract<OutboxItem, { kind: "outcome" }>;

/**
 * Writes what leaves a ledger: usage into segments, index and daily sums, outcomes into the organization's log. An item
 * may come any number of times and in any order and counts once. What will never be taken is set aside in the archive,
 * and is durable there.
 */
export function makeTrailSink(stores: TrailStores): LedgerSink {
  const { d1, archive, prefixOf } = stores;
  const setAside = makeQuarantine(stores);

  const index = async (filed: Filed[]) => {
    await d1.batch(writeUsage(filed).map((each) => prepared(d1, each)));
  };

  /** Those of the events that are in the record now. */
  const write = async (events: UsageEvent[]): Promise<Set<string>> => {
    const done = new Set<string>();
    const filed = await writeSegments(archive, prefixOf, events);
    try {
      await index(filed);
      for (const { event } of filed) done.add(event.eventId);
      return done;
    } catch (cause) {
      if (writeOutcome(cause).kind === "unknown") return done;
    }
    // The database refuses something in it whatever happens: the others must not wait for that.
    for (const each of filed) {
      try {
        await index([each]);
      } catch (cause) {
        if (writeOutcome(cause).kind === "unknown") continue;
        await setAside(
          each.event.row.orgId,
          each.event.eventId,
          each.event,
          "refused by the index",
        );
      }
      done.add(each.event.eventId);
    }
    return done;
  };

  const deliverUsage = async (items: Usage[]): Promise<number[]> => {
    if (items.length === 0) return [];
    const events = new Map(items.map(({ event }) => [event.eventId, event]));
    const done = await write([...events.values()]);
    return items.filter(({ event }) => done.has(event.eventId)).map(({ seq }) => seq);
  };

  const deliverOutcomes = async (orgId: string, items: Outcome[]): Promise<number[]> => {
    const results = await stores.auditLog(orgId).append(items.map(({ record }) => record));
    const durable: number[] = [];
    for (const [at, { seq, record }] of items.entries()) {
      const result = results[at];
      if (!result) continue;
      if (!result.ok && result.refused !== true) continue;
      if (!result.ok) await setAside(orgId, record.eventId, record, result.reason);
      durable.push(seq);
    }
    return durable;
  };

  return {
    async deliver(batch) {
      const usage = batch.filter((item) => item.kind === "usage");
      const outcomes = Map.groupBy(
        batch.filter((item) => item.kind === "outcome"),
        ({ record }) => record.orgId,
      );
      const parts = await Promise.allSettled([
        deliverUsage(usage),
        ...[...outcomes].map(([orgId, items]) => deliverOutcomes(orgId, items)),
      ]);
      return parts.flatMap((part) => (part.status === "fulfilled" ? part.value : []));
    },
  };
}
