import type { Chosen, FromUrl } from "../../worker/core/call.ts";
import type { DialectName, ProtocolName } from "../../worker/core/chat.ts";
import type { Isolate } from "../../worker/core/isolate.ts";
import { scanJson, type JsonObject } from "../../worker/core/json.ts";
import type { Deployment } from "../../worker/core/model.ts";
import type { Deps, UpstreamRequest } from "../../worker/core/ports.ts";
import type { RoutingLayer } from "../../worker/core/routing.ts";
import { dialectOf } from "../../worker/protocols/index.ts";
import { trusting } from "../support/trusting.ts";
import { DEFAULTS, over as layered } from "../../worker/routing/settings.ts";

/** A provider that answers by script: the n-th call gets the n-th answer. */
export type Script = (request: UpstreamRequest, n: number) => Response | Promise<Response>;

export const deployment = (id: string, protocol: ProtocolName = "openai-chat"): Deployment => ({
  id,
  group: "group",
  provider: protocol === "anthropic" ? "anthropic" : "openai",
  model: `model-of-${id}`,
  protocol,
  baseUrl: `https://${id}.example.com/v1`,
  weight: 1,
  order: 0,
  tags: [],
  facts: { capabilities: {}, prices: { input: 1000, output: 2000 } },
});

/** The ports that dispatch uses; touching any other fails the test. */
export function world(script: Script): { deps: Deps; sent: UpstreamRequest[] } {
  const sent: UpstreamRequest[] = [];
  const used: Partial<Deps> = {
    upstream: {
      async send(request) {
        sent.push(request);
        return script(request, sent.length - 1);
      },
    },
    platformKey: () => null,
    account: {
      async hold({ requestId, max }) {
        const views = [] as never[];
        return { granted: true, holdId: `hold_${requestId}`, leases: [], amount: max, views };
      },
      async settle() {},
      async release() {},
    },
    health: trusting,
    isolate: { stateMakers: new Map(), told: new Set() } as Partial<Isolate> as Isolate,
    audit: { append: async (records) => records.map(() => ({ ok: true })) },
    delivery: () => ({ tell: async () => undefined }),
    waitUntil: () => undefined,
    now: Date.now,
  };
  return { deps: used as Deps, sent };
}

/** A chosen request, as the stages before would have made it. */
export function chosen(
  body: JsonObject,
  plan: Deployment[],
  over: {
    dialect?: DialectName;
    headers?: Record<string, string>;
    deadlineMs?: number;
    settings?: RoutingLayer;
    fromUrl?: FromUrl;
  } = {},
): Chosen {
  const text = JSON.stringify(body);
  const dialect = over.dialect ?? "openai-chat";
  const now = Date.now();
  return {
    requestId: "req_test",
    receivedAt: now,
    credential: null,
    address: null,
    endpoint: "chat",
    dialect,
    fromUrl: over.fromUrl ?? {},
    text,
    bytes: text.length,
    scan: scanJson(text),
    body,
    chat: dialectOf(dialect).client.parseRequest(body, over.fromUrl),
    extensions: { tags: [], metadata: {}, disableFallbacks: false, fallbacks: [], features: {} },
    headers: over.headers ?? {},
    deadline: now + (over.deadlineMs ?? 60_000),
    identity: {
      principal: { kind: "key", orgId: "g000000000000", keyType: "default", role: "developer" },
      shared: {
        org: { id: "g000000000000", alias: "o", models: [], blocked: false, metadata: {} },
        deployments: plan,
        credentials: [],
        blockedCustomers: [],
      },
      key: null,
      team: null,
      user: null,
    },
    model: "group",
    plan: plan.map((each) => ({
      deployment: each,
      group: each.group,
      when: "any",
      why: "requested",
      breaker: { allowedFails: 3, cooldown: 60_000, enabled: false },
      usual: DEFAULTS.timeouts,
    })),
    settings: layered(DEFAULTS, { backoff: 1, ...over.settings }),
    explanation: {
      strategy: "simple_shuffle",
      candidates: [],
      skipped: [],
      seed: 1,
      affinity: null,
    },
    leases: [],
  };
}

/** A body whose chunks arrive one by one; `after` says how it ends. */
export function chunked(
  chunks: readonly (string | Uint8Array)[],
  after: "end" | "break" | "hang" = "end",
  signal?: AbortSignal,
): Response {
  const encoder = new TextEncoder();
  const queue = [...chunks];
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        signal?.addEventListener("abort", () => {
          try {
            controller.error(new DOMException("aborted", "AbortError"));
          } catch {
            // Already over.
          }
        });
      },
      async pull(controller) {
        const next = queue.shift();
        if (next !== undefined) {
          controller.enqueue(typeof next === "string" ? encoder.encode(next) : next);
        } else if (after === "end") controller.close();
        else if (after === "break") controller.error(new TypeError("terminated"));
        else await new Promise<void>(() => undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}
