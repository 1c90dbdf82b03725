import { sha256 } from "../core/bytes.ts";
import type { AuditRecord } from "../core/audit.ts";
import type { Authorized } from "../core/call.ts";
import { base62, timePrefix } from "../core/ids.ts";
import type { PolicyAlert } from "../core/policy.ts";
import type { Deps } from "../core/ports.ts";
import { actorOf } from "../core/principal.ts";

/** A rule's alert is told at most once in such a window; they begin at full hours, UTC. */
const WINDOW_MS = 3_600_000;
/** Alerts that an isolate remembers to have told; what it forgot, whoever delivers still knows. */
const MOST_REMEMBERED = 1_000;

/** Tells of the alerts of the rules that matched, whatever becomes of the request. Nothing waits for it. */
export function tellAlerts(deps: Deps, call: Authorized): void {
  const alerts = call.verdict?.alerts.filter(({ channel }) => channel === "webhook") ?? [];
  for (const alert of alerts) {
    const event = alertEvent(call, alert, deps.now());
    tellOnce(deps, event, () => deps.delivery(event.orgId).tell([event]));
  }
}

/** Tells an event behind the request; an isolate that told it does not again. Its id says what it is about and when. */
export function tellOnce(deps: Deps, event: AuditRecord, tell: () => Promise<void>): void {
  const { told } = deps.isolate;
  const { eventId: event_id, requestId: request_id, type } = event;
  const key = `${event.orgId}/${event_id}`;
  if (told.has(key)) return;
  if (told.size >= MOST_REMEMBERED) told.clear();
  told.add(key);
  deps.waitUntil(
    tell().catch(() => {
      // The next request that has it to tell does.
      told.delete(key);
      deps.log.warn("alert not told", { type, event_id, ...(request_id && { request_id }) });
    }),
  );
}

/** The event of an alert: its id is made of the document, its version, the rule and the window alone. */
function alertEvent(call: Authorized, alert: PolicyAlert, now: number): AuditRecord {
  const { principal } = call.identity;
  const { channel, message, rule, scope, version } = alert;
  const from = now - (now % WINDOW_MS);
  const which = sha256(JSON.stringify([scope, version, rule]));
  return {
    eventId: `evt_${timePrefix(from)}${base62(which.subarray(0, 10), 14)}`,
    type: "policy.alert",
    at: now,
    orgId: principal.orgId,
    actor: actorOf(principal),
    requestId: call.requestId,
    ...(principal.teamId !== undefined && { teamId: principal.teamId }),
    data: {
      channel,
      message,
      rule_id: rule,
      policy_scope: scope,
      policy_version: version,
      blocked: call.verdict?.block != null,
      window_start: new Date(from).toISOString(),
      window_end: new Date(from + WINDOW_MS).toISOString(),
    },
  };
}
