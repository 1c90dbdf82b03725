import { checkRound } from "./admin/health-checks.ts";
import { buildApp, type AppEnv } from "./app.ts";
import type { AdminDeps } from "./admin/ports.ts";
import { readConfig, type Config } from "./config.ts";
import type { Isolate } from "./core/isolate.ts";
import { composer, newIsolate } from "./deps.ts";
import { trailStores } from "../durable-objects/trail.ts";
import { consumeDeadTrail, consumeTrail } from "./queues/trail.ts";
import { housekeep } from "./schedules.ts";
import { makeQuarantine } from "./store/quarantine.ts";
import { makeTrailSink } from "./store/trail-sink.ts";
import { consoleLog } from "./telemetry/log.ts";

export { AuditLog } from "../durable-objects/audit-log.ts";
export { Delivery } from "../durable-objects/delivery.ts";
export { KeyCheck } from "../durable-objects/key-check.ts";
export { Ledger } from "../durable-objects/ledger.ts";
export { OrgControl } from "../durable-objects/org-control.ts";
export { SmartLearning } from "../durable-objects/smart-learning.ts";
export { ProviderHealth } from "../durable-objects/provider-health.ts";

const app = buildApp();
const log = consoleLog(Date.now);

const alert = (message: string, fields: { object: string; reason: string }) =>
  log.error(message, fields);

let isolate: Isolate | undefined;
let config: Config | undefined;
let composed: { env: Env; worldOf: (ctx: ExecutionContext) => AdminDeps } | undefined;

/** The world of one request or event. Throws what is wrong with the configuration. */
function compose(
  env: Env,
  ctx: ExecutionContext,
): Pick<AppEnv["Bindings"], "deps" | "metricsToken"> {
  isolate ??= newIsolate();
  config ??= readConfig(env);
  // The runtime hands the same bindings to every event of an isolate; should it hand out others, those count.
  if (composed?.env !== env) composed = { env, worldOf: composer(env, isolate, config) };
  return { deps: composed.worldOf(ctx), metricsToken: config.metricsToken };
}

/** Nothing is served on a half-read configuration; the answer and the log name what is wrong, never a value. */
function unconfigured(cause: unknown): Response {
  const message = cause instanceof Error ? cause.message : "The configuration is not usable.";
  log.error("not configured", { message });
  const error = { message, type: "service_unavailable", param: null, code: "not_configured" };
  return Response.json({ error }, { status: 503 });
}

export default {
  fetch(request, env, ctx) {
    let world: ReturnType<typeof compose>;
    try {
      world = compose(env, ctx);
    } catch (cause) {
      return unconfigured(cause);
    }
    const ready = async () => {
      const row = await env.DB.prepare("select 1 as one").first();
      return row !== null;
    };
    return app.fetch(request, { ...world, ready }, ctx);
  },
  async scheduled(_event, env, ctx) {
    await Promise.all([housekeep(env.DB, Date.now()), checkRound(compose(env, ctx).deps)]);
  },
  async queue(batch, env) {
    const stores = trailStores(env, alert);
    const consumer = {
      auditLog: stores.auditLog,
      sink: makeTrailSink(stores),
      setAside: makeQuarantine(stores),
      keep: (name: string, text: string) => env.ARCHIVE.put(name, text),
      prefixOf: stores.prefixOf,
      log,
    };
    if (batch.queue === "routero-trail") await consumeTrail(batch.messages, consumer);
    else await consumeDeadTrail(batch.messages, consumer);
  },
} satisfies ExportedHandler<Env>;
