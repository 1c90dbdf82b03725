import type { AppendResult, AuditRecord } from "../core/audit.ts";
import type { AuditPort } from "../core/ports.ts";
import { insertHomelessEvents } from "./audit-events.ts";
import { prepared } from "./changes.ts";
import { recordRequestEvents } from "./request-log.ts";

const MAX_GROUP = 128;
const MAX_GROUP_BYTES = 100_000;
const MAX_RECORD_BYTES = 16_384;

/**
 * The log as rows of D1: a request's decision and outcome stand in its row, all other events in a table of their own.
 * Each event id is kept once. A group that fails is sent once more and then record by record, so that one record can't
 * take the others with it; the answer says of each whether it is durable.
 */
export function makeD1Audit(d1: D1Database): AuditPort {
  const write = async (records: AuditRecord[]) => {
    await d1.batch([
      prepared(d1, recordRequestEvents(records)),
      prepared(d1, insertHomelessEvents(records)),
    ]);
  };
  const one = async (record: AuditRecord): Promise<AppendResult> => {
    try {
      await write([record]);
      return { ok: true };
    } catch {
      return { ok: false, reason: "The log could not be written." };
    }
  };
  const group = async (records: AuditRecord[]): Promise<AppendResult[]> => {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        await write(records);
        return records.map(() => ({ ok: true }));
      } catch {
        // The next attempt, or the records one by one, will tell.
      }
    }
    const results: AppendResult[] = [];
    for (const record of records) results.push(await one(record));
    return results;
  };
  return {
    async append(records) {
      const results = new Map<AuditRecord, AppendResult>();
      for (const part of groups(records, results)) {
        const written = await group(part);
        part.forEach((record, at) => results.set(record, written[at] ?? UNKNOWN));
      }
      return records.map((record) => results.get(record) ?? UNKNOWN);
    },
  };
}

const UNKNOWN: AppendResult = { ok: false, reason: "The log gave no answer." };

/** Groups within the bounds; records beyond their own bound get their result at once and join none. */
function groups(records: AuditRecord[], refused: Map<AuditRecord, AppendResult>): AuditRecord[][] {
  const out: AuditRecord[][] = [];
  let bytes = Infinity;
  for (const record of records) {
    const size = sizeOf(record);
    if (size > MAX_RECORD_BYTES) {
      refused.set(record, {
        ok: false,
        reason: `A record is larger than ${MAX_RECORD_BYTES} bytes.`,
      });
      continue;
    }
    const last = out.at(-1);
    if (!last || last.length >= MAX_GROUP || bytes + size > MAX_GROUP_BYTES) {
      out.push([record]);
      bytes = size;
    } else {
      last.push(record);
      bytes += size;
    }
  }
  return out;
}

const encoder = new TextEncoder();

/** Bytes of a record as JSON; infinite for one that is not JSON at all. */
function sizeOf(record: AuditRecord): number {
  try {
    return encoder.encode(JSON.stringify(record)).length;
  } catch {
    return Infinity;
  }
}
