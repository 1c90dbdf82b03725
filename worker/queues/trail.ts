import type { AppendResult, AuditRecord } from "../core/audit.ts";
import type { AuditPort, Log } from "../core/ports.ts";

/** What travels on the trail queue: the records of one append. */
export interface TrailMessage {
  records: AuditRecord[];
}

/** The cloud's adapter: a record is durable once the queue took it; the consumer writes it, idempotent by event id. */
export function queuedAudit(send: (message: TrailMessage) => Promise<unknown>): AuditPort {
  return {
    async append(records): Promise<AppendResult[]> {
      try {
        await send({ records });
        return records.map(() => ({ ok: true }));
      } catch {
        return records.map(() => ({ ok: false, reason: "the queue did not take it" }));
      }
    },
  };
}

interface Delivery {
  body: TrailMessage;
  ack: () => void;
  retry: () => void;
}

/** Writes what the queue delivers, in any order and however often; a message is acknowledged only once it is written. */
export async function consumeTrail(
  messages: readonly Delivery[],
  audit: AuditPort,
  log: Log,
): Promise<void> {
  for (const message of messages) {
    const results = await audit.append(message.body.records);
    const failed = results.filter((result) => !result.ok).length;
    if (failed === 0) message.ack();
    else {
      log.warn("trail message not written, will be delivered again", { records: failed });
      message.retry();
    }
  }
}

/** Keeps what no retry could write, as it came, where an operator finds it; nothing is dropped. */
export async function consumeDeadTrail(
  messages: readonly Delivery[],
  keep: (name: string, text: string) => Promise<unknown>,
  log: Log,
): Promise<void> {
  for (const message of messages) {
    const [first] = message.body.records;
    const name = `dead/trail/${first?.orgId ?? "unknown"}/${first?.eventId ?? crypto.randomUUID()}.json`;
    await keep(name, JSON.stringify(message.body));
    log.error("trail message set aside after its last retry", { object: name });
    message.ack();
  }
}
