import { beginningOf } from "../core/body.ts";
import type { ProtocolName } from "../core/chat.ts";
import type { UpstreamFault } from "../core/fault.ts";
import type { HealthCheck } from "../core/health.ts";
import type { Deployment } from "../core/model.ts";
import { inTime } from "../core/time.ts";
import { protocolOf } from "../protocols/index.ts";
import { findProvider } from "./catalog.ts";
import { hostingAt } from "./hosting.ts";
import { SigningFault } from "./signing/fault.ts";
import { signatureOf, type SigningWorld } from "./signing/index.ts";

/** The list of models, which providers give away for nothing, by protocol; below the base URL. */
const LISTS: Readonly<Partial<Record<ProtocolName, string>>> = {
  "openai-chat": "/models",
  anthropic: "/v1/models",
  gemini: "/v1beta/models",
  cohere: "/v1/models",
  ollama: "/api/tags",
};

const PATIENCE_MS = 10_000;

/**
 * Looks whether a deployment answers and takes its credential, by a call that costs nothing (PROTOCOLS 11); where there
 * is none the result is `unknown`. Never throws.
 */
export async function checkDeployment(
  world: SigningWorld,
  deployment: Deployment,
  secret: string | null,
): Promise<HealthCheck> {
  const at = world.now();
  const found = (result: HealthCheck["result"], fault: UpstreamFault | null, reason?: string) => ({
    deployment: deployment.id,
    result,
    reason: reason ?? fault?.message ?? null,
    fault: fault?.class ?? null,
    latency: world.now() - at,
    at,
  });
  const row = findProvider(deployment.provider);
  const path = LISTS[deployment.protocol];
  const { baseUrl, params = {} } = deployment;
  if (row?.auth === "none" && row.baseUrl !== null) return found("healthy", null);
  if (path === undefined || hostingAt(row?.hosting, baseUrl) !== undefined) {
    return found("unknown", null, "This provider has no call that is free.");
  }
  const { provider } = protocolOf(deployment.protocol);
  const [, version = ""] = path.split("/");
  const url = baseUrl + (baseUrl.endsWith(`/${version}`) ? path.slice(version.length + 1) : path);
  const headers = {
    "user-agent": "routero-health",
    accept: "application/json",
    ...provider.headers,
  };
  const unsigned = { url, method: "GET", headers } as const;
  const stop = new AbortController();
  try {
    const proof = await signatureOf(row?.auth ?? "bearer", secret, unsigned, params, world);
    const request = { ...unsigned, headers: { ...headers, ...proof }, signal: stop.signal };
    const response = await inTime(PATIENCE_MS, world.upstream.send(request));
    if (response.ok) {
      await response.body?.cancel();
      return found("healthy", null);
    }
    const text = await inTime(PATIENCE_MS, beginningOf(response.body));
    if (response.status === 404 || response.status === 405) {
      return found("unknown", null, "It answers, but gives no list of its models.");
    }
    return found("unhealthy", provider.parseError(response.status, response.headers, text));
  } catch (cause) {
    const message =
      cause instanceof SigningFault ? cause.message : "The connection to the provider failed.";
    const kind =
      cause instanceof SigningFault && cause.status === 401 ? "deployment" : "connection";
    return found("unhealthy", { class: kind, status: 0, message });
  } finally {
    stop.abort();
  }
}
