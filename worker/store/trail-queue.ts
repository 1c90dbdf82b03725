import type { LedgerSink, OutboxItem } from "../core/account.ts";
import { inTime } from "../core/time.ts";
import { MAX_MESSAGE_BYTES } from "../core/trail.ts";
import type { TrailMessage } from "../core/trail.ts";
import type { TrailSend } from "./audit-group.ts";

/** A send that the queue did not answer in this time counts as failed, whatever still becomes of it. */
const SEND_MS = 1_000;

export type QueueSend = (message: TrailMessage) => Promise<unknown>;

/**
 * The cloud's way to the log: a group of records is durable once the queue took it. What the queue does not take goes
 * straight to the log.
 */
export function queuedTrail(send: QueueSend, direct: TrailSend): TrailSend {
  return async (orgId, records) =>
    (await taken(() => send({ orgId, records })))
      ? records.map(() => ({ ok: true }))
      : direct(orgId, records);
}

/**
 * Hands what leaves a ledger to the trail queue, whose consumer writes it; durable once the queue took it. What the
 * queue does not take goes to `direct` at once.
 */
export function makeQueuedSink(send: QueueSend, direct: LedgerSink): LedgerSink {
  return {
    async deliver(batch) {
      const sent = messages(batch).map(async (items) => {
        const queued = await taken(() => send({ items }));
        return queued ? items.map(({ seq }) => seq) : direct.deliver(items);
      });
      return (await Promise.all(sent)).flat();
    },
  };
}

/** True once the queue has it. Never rejects. */
async function taken(send: () => Promise<unknown>): Promise<boolean> {
  try {
    await inTime(SEND_MS, send());
    return true;
  } catch {
    return false;
  }
}

const utf8 = new TextEncoder();

function messages(batch: OutboxItem[]): OutboxItem[][] {
  const out: OutboxItem[][] = [];
  let bytes = Infinity;
  for (const item of batch) {
    const size = utf8.encode(JSON.stringify(item)).length;
    if (bytes + size > MAX_MESSAGE_BYTES) {
      out.push([]);
      bytes = 0;
    }
    out.at(-1)?.push(item);
    bytes += size;
  }
  return out;
}
