import type { LedgerSink, OutboxItem } from "../core/account.ts";
import type { AppendResult, AuditLogPort, AuditRecord } from "../core/audit.ts";
import { isOrgId } from "../core/ids.ts";
import { isJsonObject } from "../core/json.ts";
import { setAside as counted } from "../core/set-aside.ts";
import type { Log } from "../core/ports.ts";
import type { TrailMessage } from "../core/trail.ts";
import type { SetAside } from "../store/quarantine.ts";

/** What a consumer needs of a message; the body is whatever was sent. */
export interface Delivery {
  id: string;
  body: unknown;
  ack: () => void;
  retry: (options?: { delaySeconds?: number }) => void;
}

/** Failed messages come again after this time, so that a log which is away does not use up their retries. */
const RETRY_SECONDS = 30;

/** What the consumers write to. */
export interface TrailConsumer {
  auditLog: (orgId: string) => Pick<AuditLogPort, "append">;
  sink: LedgerSink;
  setAside: SetAside;
  /** Writes one object into the archive. */
  keep: (name: string, text: string) => Promise<unknown>;
  /** Prefix of an organization's objects in the archive. */
  prefixOf: (orgId: string) => string;
  log: Log;
}

interface Sent<T> {
  message: Delivery;
  content: T[];
}

/**
 * Writes what the queue delivers, in any order and however often. Each message is acknowledged on its own, once all of
 * it is durable; one that is not comes again as a whole, which does no harm. Never throws.
 */
export async function consumeTrail(
  messages: readonly Delivery[],
  consumer: TrailConsumer,
): Promise<void> {
  const groups = new Map<string, Sent<AuditRecord>[]>();
  const items: Sent<OutboxItem>[] = [];
  const unreadable: Delivery[] = [];
  for (const message of messages) {
    const body = readMessage(message.body);
    if (body === null) unreadable.push(message);
    else if ("items" in body) items.push({ message, content: body.items });
    else {
      const group = groups.get(body.orgId) ?? [];
      groups.set(body.orgId, group);
      group.push({ message, content: body.records });
    }
  }
  await Promise.all([
    ...[...groups].map(([orgId, sent]) =>
      each(consumer, sent, (records) => writeRecords(consumer, orgId, records)),
    ),
    each(consumer, items, (all) => writeItems(consumer.sink, all)),
    consumeDeadTrail(unreadable, consumer),
  ]);
}

/**
 * Keeps what no retry could write, as it came, and tells an operator where: `dead/<message id>.json` under the prefix
 * of its organization. A message is acknowledged only once it is kept. Never throws.
 */
export async function consumeDeadTrail(
  messages: readonly Delivery[],
  { keep, prefixOf, log }: Pick<TrailConsumer, "keep" | "prefixOf" | "log">,
): Promise<void> {
  for (const message of messages) {
    const orgId = orgOf(message.body);
    const object = `${orgId === null ? "" : prefixOf(orgId)}dead/${message.id}.json`;
    try {
      await keep(object, JSON.stringify(message.body ?? null));
      counted.count++;
      log.error("trail message set aside", { object });
      message.ack();
    } catch {
      message.retry({ delaySeconds: RETRY_SECONDS });
    }
  }
}

/** Writes the content of several messages at once and answers each by what became of its own part. */
async function each<T>(
  { log }: TrailConsumer,
  sent: Sent<T>[],
  write: (all: T[]) => Promise<boolean[]>,
): Promise<void> {
  if (sent.length === 0) return;
  const durable = await write(sent.flatMap(({ content }) => content)).catch((): boolean[] => []);
  let from = 0;
  for (const { message, content } of sent) {
    const part = content.map((_, at) => durable[from + at] === true);
    from += content.length;
    if (part.every(Boolean)) {
      message.ack();
      continue;
    }
    log.warn("trail message not written, it comes again", {
      parts: part.filter((ok) => !ok).length,
    });
    message.retry({ delaySeconds: RETRY_SECONDS });
  }
}

async function writeRecords(
  { auditLog, setAside }: TrailConsumer,
  orgId: string,
  records: AuditRecord[],
): Promise<boolean[]> {
  const results = await auditLog(orgId).append(records);
  const kept = async (result: AppendResult | undefined, record: AuditRecord | undefined) => {
    if (!result) return false;
    if (result.ok || result.refused !== true) return result.ok;
    await setAside(orgId, String(record?.eventId), record, result.reason);
    return true;
  };
  return Promise.all(records.map((record, at) => kept(results[at], record).catch(() => false)));
}

/** Sequences name items within one ledger: here they are counted anew. */
async function writeItems(sink: LedgerSink, items: OutboxItem[]): Promise<boolean[]> {
  const durable = new Set(await sink.deliver(items.map((item, seq) => ({ ...item, seq }))));
  return items.map((_, seq) => durable.has(seq));
}

/** The message that a body is, as far as it takes to bring it to its place; null for anything else. */
function readMessage(body: unknown): TrailMessage | null {
  if (!isJsonObject(body)) return null;
  const orgId = orgOf(body);
  if (orgId === null) return null;
  if (Array.isArray(body.records))
    return { orgId, records: body.records as unknown as AuditRecord[] };
  const items = body.items;
  return Array.isArray(items) && items.every((item) => orgOfItem(item) !== null)
    ? { items: items as unknown as OutboxItem[] }
    : null;
}

function orgOf(body: unknown): string | null {
  if (!isJsonObject(body)) return null;
  if (Array.isArray(body.items)) return orgOfItem(body.items[0]);
  return typeof body.orgId === "string" && isOrgId(body.orgId) ? body.orgId : null;
}

function orgOfItem(item: unknown): string | null {
  if (!isJsonObject(item)) return null;
  const event = isJsonObject(item.event) ? item.event.row : undefined;
  const of = item.kind === "usage" ? event : item.record;
  const orgId = isJsonObject(of) ? of.orgId : undefined;
  return typeof orgId === "string" && isOrgId(orgId) ? orgId : null;
}
