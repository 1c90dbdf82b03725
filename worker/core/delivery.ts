import type { AuditRecord } from "./audit.ts";
import { shownOrgId } from "./ids.ts";

// What is told to whoever subscribed: one POST per event, signed over the very bytes that are sent.

/** Where events go: one organization's subscribers. */
export interface DeliveryPort {
  /**
   * Takes events; they are durable when it returned, and leave at least once after that. An event whose id was told
   * before is not told again (for 40 days), so an id made of a rule and its window tells once in that window.
   */
  tell(events: AuditRecord[]): Promise<void>;
}

/** An event that no subscriber has taken yet. */
export interface Undelivered {
  eventId: string;
  type: string;
  /** When it happened, Unix milliseconds. */
  at: number;
  teamId: string | null;
  requestId: string | null;
  /** `dead`: nothing is tried any more by itself. */
  status: "waiting" | "dead";
  /** Attempts that failed since it was told, or since it was last sent again. */
  attempts: number;
  /** Unix milliseconds of the last attempt; null = none yet. */
  lastAt: number | null;
  /** HTTP status of the last attempt, 0 where no answer came; null = none yet. */
  lastStatus: number | null;
  /** Unix milliseconds; null of what is dead. */
  nextAt: number | null;
}

/** Events that were not taken, and how many there are. */
export interface UndeliveredPage {
  deliveries: Undelivered[];
  /** How many there are in all. */
  waiting: number;
  dead: number;
}

/** What an administrator sees of an organization's deliveries. */
export interface DeliveriesPort {
  /** The newest first; `status` null = of both kinds. */
  undelivered(status: Undelivered["status"] | null, limit: number): Promise<UndeliveredPage>;
  /** How many of these are undelivered, of all if null; null where one of them is not. */
  countOf(eventIds: readonly string[] | null): Promise<number | null>;
  /** Has these sent again now, or all if null; what was delivered meanwhile is not. */
  resend(eventIds: readonly string[] | null): Promise<void>;
}

/** One endpoint of an organization. */
export interface Webhook {
  url: string;
  secret: string;
  /** Types of the events that are wanted; empty = all. */
  events: readonly string[];
}

/** Names that are documented for a webhook's filter, by the event's own. */
const ALIASES: Readonly<Record<string, string>> = {
  "budget.threshold_80": "budget.threshold_reached",
};

/** True where a webhook asked for events of this type, by its own name or a documented one. */
export function isWanted({ events }: Pick<Webhook, "events">, type: string): boolean {
  return events.length === 0 || events.some((each) => (ALIASES[each] ?? each) === type);
}

/** What is sent of an event, as text. */
export function deliveryBody(event: AuditRecord): string {
  return JSON.stringify({
    ...event.data,
    id: event.eventId,
    event_type: event.type,
    timestamp: new Date(event.at).toISOString().replace("Z", "000Z"),
    workspace_id: `ws_${event.orgId}`,
    org_id: shownOrgId(event.orgId),
    team_id: event.teamId ?? null,
    request_id: event.requestId ?? null,
  });
}

/**
 * The headers of one delivery: the signature is the lower-case hex HMAC-SHA256 of the raw body, the delivery's id is the
 * same whenever it is sent again, and the time is when this attempt was made, in seconds.
 */
export async function deliveryHeaders(
  body: string,
  { id, secret, now }: { id: string; secret: string; now: number },
): Promise<Record<string, string>> {
  const encoder = new TextEncoder();
  const hash = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), hash, false, ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", key, encoder.encode(body));
  return {
    "content-type": "application/json",
    "user-agent": "routero-webhook",
    "x-routero-signature": Buffer.from(mac).toString("hex"),
    "x-routero-timestamp": String(Math.floor(now / 1000)),
    "x-routero-delivery": id,
  };
}
