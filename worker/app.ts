import { Hono, type Context } from "hono";
import { mountAdmin } from "./admin/http.ts";
import type { AdminDeps } from "./admin/ports.ts";
import type { DialectName } from "./core/chat.ts";
import { asGatewayError, GatewayError } from "./core/errors.ts";
import { answerMetrics } from "./telemetry/metrics.ts";
import { gateway, listModels, refuseOutside } from "./gateway.ts";

/** What a handler gets from `index.ts`: the composed world of this request. */
export interface AppEnv {
  Bindings: { deps: AdminDeps; metricsToken: string | null; ready: () => Promise<boolean> };
}

/** Paths of the data plane by the dialect that is spoken there; each is served with and without `/v1`. */
const CHAT_PATHS: Record<string, DialectName> = {
  "/v1/chat/completions": "openai-chat",
  "/chat/completions": "openai-chat",
  "/v1/messages": "anthropic",
  "/messages": "anthropic",
  "/anthropic/v1/messages": "anthropic",
  "/v1/v1/messages": "anthropic",
};

const METRICS_ACCESS =
  "Counters are shown to the bearer of METRICS_TOKEN or of the master key: send 'Authorization: Bearer <token>'.";

/** Mounts the planes; whatever decides anything lives elsewhere. */
export function buildApp(): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  for (const [path, dialect] of Object.entries(CHAT_PATHS)) {
    app.post(path, (c) => gateway(c.env.deps, c.req.raw, dialect));
    app.all(path, (c) => refusal(c, wrongMethod("POST"), dialect));
  }
  for (const path of ["/v1/models", "/models"]) {
    app.get(path, (c) => listModels(c.env.deps, c.req.raw, null));
    app.get(`${path}/:id{.+}`, (c) => listModels(c.env.deps, c.req.raw, c.req.param("id") ?? ""));
    app.all(path, (c) => refusal(c, wrongMethod("GET")));
    app.all(`${path}/:id{.+}`, (c) => refusal(c, wrongMethod("GET")));
  }
  for (const path of ["/health/liveliness", "/health/liveness"]) {
    app.get(path, (c) => c.json("I'm alive!"));
  }
  app.get("/health/readiness", async (c) => {
    const ready = await c.env.ready();
    return c.json(
      { status: ready ? "healthy" : "unhealthy", db: ready ? "connected" : "unreachable" },
      ready ? 200 : 503,
    );
  });
  app.get("/metrics", (c) => {
    const { deps, metricsToken: token } = c.env;
    const { isolate, keys } = deps;
    const answer = answerMetrics(isolate, c.req.raw, { token, isMaster: keys.isMaster });
    return answer ?? refusal(c, new GatewayError("invalid_api_key", METRICS_ACCESS));
  });
  mountAdmin(app, (c) => c.env.deps);
  app.notFound((c) =>
    refusal(
      c,
      new GatewayError(
        "not_found",
        `There is no ${c.req.method} ${c.req.path.slice(0, 128)} here; GET /docs shows every endpoint.`,
      ),
    ),
  );
  app.onError((cause, c) => {
    return refusal(c, asGatewayError(cause));
  });
  return app;
}

function wrongMethod(allowed: string): GatewayError {
  return new GatewayError("method_not_allowed", `This endpoint takes ${allowed} requests.`, {
    headers: { allow: allowed },
  });
}

function refusal(
  c: Context<AppEnv>,
  error: GatewayError,
  dialect: DialectName = "openai-chat",
): Promise<Response> {
  return refuseOutside(c.env.deps, c.req.raw, dialect, error);
}
