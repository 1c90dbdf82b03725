import { Hono, type Context } from "hono";
import { mountAdmin, wrongMethod } from "./admin/http.ts";
import type { AdminDeps } from "./admin/ports.ts";
import type { FromUrl } from "./core/call.ts";
import type { DialectName } from "./core/chat.ts";
import { asGatewayError, GatewayError } from "./core/errors.ts";
import { answerMetrics } from "./telemetry/metrics.ts";
import {
  countTokens,
  gateway,
  listModels,
  refuseOutside,
  refuseUnserved,
  takeFeedback,
} from "./gateway.ts";

/** What a handler gets from `index.ts`: the composed world of this request. */
export interface AppEnv {
  Bindings: { deps: AdminDeps; metricsToken: string | null; ready: () => Promise<boolean> };
}

/** Paths of the data plane by the dialect that is spoken there; each is served with and without `/v1`. */
const CHAT_PATHS: Record<string, DialectName> = {
  "/v1/chat/completions": "openai-chat",
  "/chat/completions": "openai-chat",
  "/v1/responses": "openai-responses",
  "/responses": "openai-responses",
  "/openai/v1/responses": "openai-responses",
  "/openai/responses": "openai-responses",
  "/openai/v1/chat/completions": "openai-chat",
  "/v1/messages": "anthropic",
  "/messages": "anthropic",
  "/anthropic/v1/messages": "anthropic",
  "/v1/v1/messages": "anthropic",
};

/** Where Anthropic's clients ask. */
const ANTHROPIC_PATHS = Object.keys(CHAT_PATHS).filter((path) => CHAT_PATHS[path] === "anthropic");
/** Where Google's clients ask: the model and the kind of call stand behind these, as `gemini-x:generateContent`. */
const GOOGLE_PATHS = ["/v1beta/models", "/v1/models", "/models"];
/** Where Azure's clients ask: the deployment stands in the path. */
const AZURE_PATH = "/openai/deployments/:model{.+}/chat/completions";

const STORED =
  "Responses that are kept at a provider are not read, changed or listed here; send the whole input with POST /v1/responses, or ask the provider that keeps them.";
const BATCHES =
  "Batches of messages are not run here: ask Anthropic's own endpoint, or send each one with POST /v1/messages.";
const ASSISTANTS =
  "Assistants and threads are not kept here: OpenAI and Azure OpenAI serve them; POST /v1/responses or /v1/chat/completions take the whole conversation.";
/** What these dialects have elsewhere and the gateway has not, with what to do instead; refused in their own form. */
const UNSERVED: readonly (readonly [path: string, dialect: DialectName, why: string])[] = [
  ["/responses/:rest{.+}", "openai-responses", STORED],
  ["/v1/responses/:rest{.+}", "openai-responses", STORED],
  ["/openai/responses/:rest{.+}", "openai-responses", STORED],
  ["/openai/v1/responses/:rest{.+}", "openai-responses", STORED],
  ...ANTHROPIC_PATHS.flatMap(
    (path) =>
      [
        [`${path}/batches`, "anthropic", BATCHES],
        [`${path}/batches/:rest{.+}`, "anthropic", BATCHES],
      ] as const,
  ),
  ...["/v1", ""].flatMap((version) =>
    ["threads", "assistants"].flatMap(
      (kept) =>
        [
          [`${version}/${kept}`, "openai-chat", ASSISTANTS],
          [`${version}/${kept}/:rest{.+}`, "openai-chat", ASSISTANTS],
        ] as const,
    ),
  ),
];
const ALL_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

const METRICS_ACCESS =
  "Counters are shown to the bearer of METRICS_TOKEN or of the master key: send 'Authorization: Bearer <token>'.";

/** Mounts the planes; whatever decides anything lives elsewhere. */
export function buildApp(): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  for (const [path, dialect] of Object.entries(CHAT_PATHS)) {
    app.post(path, (c) => gateway(c.env.deps, c.req.raw, dialect));
    app.all(path, (c) => refusal(c, wrongMethod("POST"), dialect));
  }
  for (const [path, dialect, why] of UNSERVED) {
    app.all(path, (c) => refuseUnserved(c.env.deps, c.req.raw, dialect, why));
  }
  for (const path of ANTHROPIC_PATHS.map((each) => `${each}/count_tokens`)) {
    app.post(path, (c) => countTokens(c.env.deps, c.req.raw, "anthropic"));
    app.all(path, (c) => refusal(c, wrongMethod("POST"), "anthropic"));
  }
  for (const path of GOOGLE_PATHS) {
    app.on(ALL_METHODS, `${path}/:call{.+:[A-Za-z]+}`, (c, next) => {
      const asked = c.req.param("call");
      if (asked.endsWith(":countTokens")) {
        if (c.req.method !== "POST") return refusal(c, wrongMethod("POST"), "gemini");
        const model = asked.slice(0, -":countTokens".length);
        return countTokens(c.env.deps, c.req.raw, "gemini", { model });
      }
      const at = googleCall(asked, c.req.query("alt"));
      if (at === null) return next();
      if (c.req.method !== "POST") return refusal(c, wrongMethod("POST"), "gemini");
      return gateway(c.env.deps, c.req.raw, "gemini", at);
    });
  }
  app.post(AZURE_PATH, (c) =>
    gateway(c.env.deps, c.req.raw, "openai-chat", { model: c.req.param("model") }),
  );
  app.all(AZURE_PATH, (c) => refusal(c, wrongMethod("POST")));
  for (const path of ["/v1/feedback", "/feedback"]) {
    app.post(path, (c) => takeFeedback(c.env.deps, c.req.raw));
    app.all(path, (c) => refusal(c, wrongMethod("POST")));
  }
  for (const path of ["/v1/models", "/models"]) {
    app.get(path, (c) => listModels(c.env.deps, c.req.raw, null));
    app.get(`${path}/:id{.+}`, (c) => listModels(c.env.deps, c.req.raw, c.req.param("id") ?? ""));
    app.all(path, (c) => refusal(c, wrongMethod("GET")));
    app.all(`${path}/:id{.+}`, (c) => refusal(c, wrongMethod("GET")));
  }
  app.get("/", (c) => c.redirect("/docs"));
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
      dialectBelow(c.req.path),
    ),
  );
  app.onError((cause, c) => {
    return refusal(c, asGatewayError(cause));
  });
  return app;
}

/** What the end of a Google path asks for; null for what is no call of ours. */
function googleCall(text: string, alt: string | undefined): FromUrl | null {
  const [, model, kind] = /^(.+):(generateContent|streamGenerateContent)$/.exec(text) ?? [];
  if (model === undefined) return null;
  const stream = kind === "streamGenerateContent";
  return { model, stream, ...(stream && alt !== "sse" && { array: true }) };
}

/** What is spoken where no endpoint is: the dialect of whose clients ask there. */
function dialectBelow(path: string): DialectName {
  if (path.startsWith("/v1beta/")) return "gemini";
  return /^(\/anthropic)?(\/v1)?\/messages\/|^\/anthropic\//.test(path)
    ? "anthropic"
    : "openai-chat";
}

function refusal(
  c: Context<AppEnv>,
  error: GatewayError,
  dialect: DialectName = "openai-chat",
): Promise<Response> {
  return refuseOutside(c.env.deps, c.req.raw, dialect, error);
}
