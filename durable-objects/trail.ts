import type { LedgerSink } from "../worker/core/account.ts";
import type { TrailSend } from "../worker/store/audit-group.ts";
import { makeQueuedSink, queuedTrail } from "../worker/store/trail-queue.ts";
import { makeTrailSink } from "../worker/store/trail-sink.ts";
import type { TrailStores } from "../worker/store/trail-sink.ts";
import { archivePrefix, auditLog } from "./addresses.ts";

// The trail's two ways, from what an isolate or a ledger has to say to the record: through the
// queue in the cloud, straight there where the runtime would forget what its queue has in flight.

/** What the trail is written to. */
export function trailStores(env: Env, alert: TrailStores["alert"]): TrailStores {
  return {
    d1: env.DB,
    archive: { put: (name, bytes) => env.ARCHIVE.put(name, bytes) },
    prefixOf: archivePrefix,
    auditLog: (orgId) => auditLog(env, orgId),
    alert,
  };
}

/** How an isolate's groups of records become durable. */
export function trailSend(env: Env): TrailSend {
  const direct: TrailSend = (orgId, records) => auditLog(env, orgId).append(records);
  if (env.PROFILE === "self-hosted") return direct;
  return queuedTrail((message) => env.TRAIL_QUEUE.send(message), direct);
}

/** How what leaves a ledger becomes durable. */
export function ledgerSink(env: Env, alert: TrailStores["alert"]): LedgerSink {
  const direct = makeTrailSink(trailStores(env, alert));
  if (env.PROFILE === "self-hosted") return direct;
  return makeQueuedSink((message) => env.TRAIL_QUEUE.send(message), direct);
}
