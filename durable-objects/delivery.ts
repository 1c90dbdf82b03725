import { DurableObject } from "cloudflare:workers";
import type { AuditRecord } from "../worker/core/audit.ts";
import { deliveryBody, deliveryHeaders, isWanted } from "../worker/core/delivery.ts";
import type { Undelivered, UndeliveredPage, Webhook } from "../worker/core/delivery.ts";
import { checkWebhook } from "../worker/providers/egress.ts";
import { openDb } from "../worker/store/database.ts";
import { makeVault } from "../worker/store/vault.ts";
import { parseVersionedSecrets } from "../worker/store/versioned-secrets.ts";
import { readWebhook } from "../worker/store/webhooks.ts";
import { answered } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { DeliveryRows, type Waiting } from "./delivery-rows.ts";

/** Events that are sent side by side. */
const BATCH = 16;
const ATTEMPT_MS = 3_000;
/** The alarm that follows one that failed altogether. */
const RETRY_MS = 10_000;

/**
 * One object per organization: what its subscribers are to be told. Events wait on disk and are sent by the alarm, so
 * nothing depends on the isolate that told of them.
 */
export class Delivery extends DurableObject<Env> {
  readonly #rows: DeliveryRows;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#rows = new DeliveryRows(ctx.storage);
  }

  tell(records: AuditRecord[]): Promise<Answer<null>> {
    return answered(async () => {
      const refused = this.#rows.add(records, Date.now());
      if (refused > 0) complain("events were dropped: too many wait", { count: refused });
      await this.ctx.storage.setAlarm(Date.now());
      return null;
    });
  }

  undelivered(
    status: Undelivered["status"] | null,
    limit: number,
  ): Promise<Answer<UndeliveredPage>> {
    return answered(async () => this.#rows.undelivered(status, limit));
  }

  countOf(eventIds: readonly string[] | null): Promise<Answer<number | null>> {
    return answered(async () => this.#rows.countOf(eventIds));
  }

  resend(eventIds: readonly string[] | null): Promise<Answer<null>> {
    return answered(async () => {
      this.#rows.resend(eventIds, Date.now());
      await this.ctx.storage.setAlarm(Date.now());
      return null;
    });
  }

  override async alarm(): Promise<void> {
    const { storage } = this.ctx;
    // The successor first: whatever fails below is tried again (PLATFORM 11).
    await storage.setAlarm(Date.now() + RETRY_MS);
    const waiting = this.#rows.due(Date.now(), BATCH);
    const [first] = waiting;
    if (first !== undefined) {
      const { orgId } = first.record;
      const webhook = await this.#webhook(orgId).catch((cause: unknown) => {
        const why = cause instanceof Error ? cause.name : "Error";
        complain("a webhook could not be read", { orgId, cause: why });
      });
      if (webhook === undefined) return;
      await Promise.all(waiting.map((each) => this.#send(each, webhook)));
    }
    const due = this.#rows.nextDue();
    await (due === null ? storage.deleteAlarm() : storage.setAlarm(due));
  }

  async #send(waiting: Waiting, webhook: Webhook | null): Promise<void> {
    const { eventId, orgId, type } = waiting.record;
    if (webhook === null || !isWanted(webhook, type)) return this.#rows.done(eventId);
    const status = await this.#post(waiting.record, webhook).catch(() => 0);
    if (status >= 200 && status < 300) return this.#rows.done(eventId);
    if (this.#rows.failed(waiting, status, Date.now())) return;
    complain("an event could not be delivered for a day", { orgId, eventId, status });
  }

  /** The status that the endpoint answered; its body is not looked at, and no redirect followed. */
  async #post(record: AuditRecord, { url, secret }: Webhook): Promise<number> {
    checkWebhook(url, { allowPrivateUpstreams: isOn(this.env.ALLOW_PRIVATE_UPSTREAMS) });
    const body = deliveryBody(record);
    const about = { id: record.eventId, secret, now: Date.now() };
    const response = await fetch(url, {
      method: "POST",
      headers: await deliveryHeaders(body, about),
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(ATTEMPT_MS),
    });
    await response.body?.cancel();
    return response.status;
  }

  async #webhook(orgId: string): Promise<Webhook | null> {
    const stored = await readWebhook(openDb(this.env.DB), orgId);
    if (stored === null) return null;
    const vault = makeVault(parseVersionedSecrets("KEK", this.env.KEK), new Map());
    const { url, events, credential } = stored;
    return { url, events, secret: await vault.open(orgId, credential) };
  }
}

function isOn(flag: string): boolean {
  return flag === "true" || flag === "1";
}

function complain(message: string, fields: Record<string, string | number>): void {
  console.error(JSON.stringify({ level: "error", msg: message, ...fields }));
}
