import { and, eq, gt, sql } from "drizzle-orm";
import type { AuditRecord } from "../core/audit.ts";
import type { DeliveryPort } from "../core/delivery.ts";
import { base62, timePrefix } from "../core/ids.ts";
import type { Overbilled } from "../core/overbilling.ts";
import type { Change, Log, OrgControlPort, Statement } from "../core/ports.ts";
import { sha256 } from "../core/bytes.ts";
import { DAY_MS, pause } from "../core/time.ts";
import { statement, writer } from "./database.ts";
import type { Db } from "./database.ts";
import { overbilling } from "./schema.ts";

/** After so long without another overrun a deployment is taken at its word again. */
const LIFE_MS = 30 * DAY_MS;
/** Isolates that learn the same within one such window tell it once. */
const WINDOW_MS = 600_000;
const TRIES = 3;
const RETRY_MS = 2_000;

/** By how much deployments of an organization bill beyond their bound, as rows. */
export function overbillingQuery(db: Db, orgId: string, now: number) {
  return db
    .select({ deployment: overbilling.deployment, factor: overbilling.factor })
    .from(overbilling)
    .where(and(eq(overbilling.orgId, orgId), gt(overbilling.seenAt, now - LIFE_MS)));
}

/** The same by deployment. */
export async function readOverbilling(
  db: Db,
  orgId: string,
  now: number,
): Promise<Map<string, number>> {
  const rows = await overbillingQuery(db, orgId, now);
  return new Map(rows.map(({ deployment, factor }) => [deployment, factor]));
}

/** Takes a deployment at its word again. */
export function forgetOverbilling(orgId: string, deployment: string): Statement {
  const where = and(eq(overbilling.orgId, orgId), eq(overbilling.deployment, deployment));
  return statement(writer.delete(overbilling).where(where));
}

interface Parts {
  control: (orgId: string) => Pick<OrgControlPort, "apply">;
  delivery: (orgId: string) => DeliveryPort;
  now: () => number;
  log: Log;
}

/**
 * Raises a deployment's bound for the whole organization: it is on the record, reaches every isolate like any change, and
 * is told. Behind the request that showed it; never rejects. Where it can't be written, the next overrun tries again.
 */
export async function raiseBound(parts: Parts, found: Overbilled): Promise<void> {
  const { orgId, deployment, requestId } = found;
  const change = changeOf(found, parts.now());
  for (let tries = 1; ; tries++) {
    try {
      await parts.control(orgId).apply(change);
      await parts.delivery(orgId).tell(change.events);
      return;
    } catch {
      if (tries === TRIES) {
        parts.log.warn("bound not raised", { request_id: requestId, deployment });
        return;
      }
      await pause(RETRY_MS);
    }
  }
}

function changeOf({ orgId, deployment, factor, requestId }: Overbilled, now: number): Change {
  const from = now - (now % WINDOW_MS);
  const id = `overbilling/${deployment}/${factor}/${from}`;
  const raised = sql`max(excluded.factor,
    case when ${overbilling.seenAt} > ${now - LIFE_MS} then ${overbilling.factor} else 0 end)`;
  const upsert = writer
    .insert(overbilling)
    .values({ orgId, deployment, factor, seenAt: now })
    .onConflictDoUpdate({
      target: [overbilling.orgId, overbilling.deployment],
      set: { factor: raised, seenAt: now },
    });
  const event: AuditRecord = {
    eventId: `evt_${timePrefix(from)}${base62(sha256(id).subarray(0, 10), 14)}`,
    type: "model.overbilled",
    at: now,
    orgId,
    actor: "service:gateway",
    requestId,
    data: { object_id: deployment.slice(0, 256), table_name: "overbilling", factor },
  };
  return { id, statements: [statement(upsert)], touches: ["shared"], events: [event] };
}
