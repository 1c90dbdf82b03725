import { sha256 } from "../core/bytes.ts";
import type { AuditRecord } from "../core/audit.ts";
import type { RefusedCredentialData } from "../core/audit-data.ts";
import type { Chosen } from "../core/call.ts";
import type { UpstreamFault } from "../core/fault.ts";
import { base62, timePrefix } from "../core/ids.ts";
import type { Deps } from "../core/ports.ts";
import type { Step } from "../core/routing.ts";
import { tellOnce } from "./alerts.ts";

/** Windows are not shorter than this, however short the cooldown is. */
const LEAST_WINDOW_MS = 1_000;

/**
 * Tells the organization that a provider refused a deployment's credential or has no quota left for it:
 * on record, and to its subscribers, at most once per deployment and cooldown. Nothing waits for it.
 */
export function alertRefused(deps: Deps, call: Chosen, step: Step, fault: UpstreamFault): void {
  if (!isRefusal(fault)) return;
  const event = refusedEvent(call, step, fault, deps.now());
  tellOnce(deps, event, async () => {
    const [[kept]] = await Promise.all([
      deps.audit.append([event]),
      deps.delivery(event.orgId).tell([event]),
    ]);
    if (kept?.ok !== true) throw new Error("The log did not take the event.");
  });
}

/** A model or path that is not there, and a redirect, are no refusals of who asks. */
function isRefusal({ class: kind, status }: UpstreamFault): boolean {
  return kind === "deployment" && status >= 400 && status !== 404;
}

/** Its id is made of the deployment and the window alone, so that all isolates make the same one. */
function refusedEvent(
  { identity, requestId }: Chosen,
  { deployment, group, breaker }: Step,
  { status, code }: UpstreamFault,
  now: number,
): AuditRecord {
  const window = Math.max(LEAST_WINDOW_MS, breaker.cooldown);
  const from = now - (now % window);
  const which = sha256(JSON.stringify(["credential.refused", deployment.id]));
  const data: RefusedCredentialData = {
    deployment: deployment.id,
    group: group.slice(0, 256),
    provider: deployment.provider,
    model: deployment.model.slice(0, 256),
    status,
    ...(code !== undefined && /^[\w.-]{1,64}$/.test(code) && { code }),
    window_start: new Date(from).toISOString(),
    window_end: new Date(from + window).toISOString(),
  };
  return {
    eventId: `evt_${timePrefix(from)}${base62(which.subarray(0, 10), 14)}`,
    type: "credential.refused",
    at: now,
    orgId: identity.principal.orgId,
    actor: "service:gateway",
    requestId,
    data,
  };
}
