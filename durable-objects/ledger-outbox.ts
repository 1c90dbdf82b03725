import type { LedgerSink, OutboxItem } from "../worker/core/account.ts";
import { inTime } from "../worker/core/time.ts";

/** Items of one delivery. */
const BATCH = 512;
/** A delivery that did not answer in this time counts as failed: its items come again. */
const DELIVERY_MS = 10_000;

/** What waits on disk to leave. */
export interface Outbox {
  outbox(limit: number): OutboxItem[];
  delivered(seqs: number[]): void;
}

/**
 * Empties an outbox into a sink, one delivery after the other. What the sink did not confirm stays; the object's alarm
 * begins anew.
 */
export class OutboxDrain {
  readonly #outbox: Outbox;
  #running: Promise<boolean> | null = null;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** True when nothing is left. Never rejects; while one drain runs, others wait for its end. */
  run(sink: LedgerSink): Promise<boolean> {
    this.#running ??= this.#drain(sink).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #drain(sink: LedgerSink): Promise<boolean> {
    for (;;) {
      const batch = this.#outbox.outbox(BATCH);
      if (batch.length === 0) return true;
      const durable = await inTime(DELIVERY_MS, sink.deliver(batch)).catch((): number[] => []);
      if (durable.length === 0) return false;
      this.#outbox.delivered(durable);
      // The rest failed for a reason of its own: it is not tried again at once.
      if (durable.length < batch.length) return false;
    }
  }
}
