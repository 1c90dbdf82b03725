import Anthropic, { type ClientOptions as AnthropicOptions } from "@anthropic-ai/sdk";
import OpenAI, { type ClientOptions as OpenAIOptions } from "openai";
import {
  startGateway,
  type GatewayOptions,
  type TestGateway,
} from "../../support/cluster/index.ts";
import { startUpstream, type Upstream } from "../../support/upstream/index.ts";

/** The two dialects that callers and providers speak here. */
export type Dialect = "openai" | "anthropic";
export const DIALECTS: readonly Dialect[] = ["openai", "anthropic"];

/** The model group whose one deployment speaks this dialect to the provider server. */
export const MODEL: Record<Dialect, string> = { openai: "gpt-test", anthropic: "claude-test" };

export const PATH: Record<Dialect, string> = {
  openai: "/v1/chat/completions",
  anthropic: "/v1/messages",
};

/** Prices of both groups, in USD per token. */
export const PRICE = { input: 0.000_001, output: 0.000_01 };

/** Stories of single faults see them as they are: the gateway repeats nothing for these callers. */
export const ONCE = { "x-litellm-num-retries": "0" };

/** One gateway with a key, one provider server, and one model group for each dialect. */
export interface Ground {
  gw: TestGateway;
  up: Upstream;
  key: string;
  openai(options?: OpenAIOptions): OpenAI;
  anthropic(options?: AnthropicOptions): Anthropic;
  /** A raw call in a dialect with the key; `body` may be text or bytes. */
  post(dialect: Dialect, body: unknown, options?: PostOptions): Promise<Response>;
  stop(): Promise<void>;
}

export interface PostOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal;
  path?: string;
}

export async function startGround(options: GatewayOptions = {}): Promise<Ground> {
  // Self-hosted: outcomes are on record when the request ends, not when a queue gets to them.
  const vars = { PROFILE: "self-hosted", ...options.vars };
  const [gw, up] = await Promise.all([startGateway({ ...options, vars }), startUpstream()]);
  for (const dialect of DIALECTS) {
    await gw.newModel(
      MODEL[dialect],
      { upstream: up, provider: dialect, organizationId: gw.tenant.organizationId },
      { input_cost_per_token: PRICE.input, output_cost_per_token: PRICE.output },
    );
  }
  // Stories let one deployment fail again and again; it stays in rotation for them.
  await gw.configure(gw.tenant.organizationId, { disable_cooldowns: true });
  return grounded(gw, up, gw.firstKey);
}

function grounded(gw: TestGateway, up: Upstream, key: string): Ground {
  return {
    gw,
    up,
    key,
    openai: (more = {}) =>
      new OpenAI({
        baseURL: `${gw.url}/v1`,
        apiKey: key,
        maxRetries: 0,
        defaultHeaders: ONCE,
        ...more,
      }),
    anthropic: (more = {}) =>
      new Anthropic({
        baseURL: gw.url,
        apiKey: key,
        maxRetries: 0,
        defaultHeaders: ONCE,
        ...more,
      }),
    post(dialect, body, { headers = {}, signal, path = PATH[dialect] } = {}) {
      const raw = typeof body === "string" || body instanceof Uint8Array;
      return fetch(gw.url + path, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(dialect === "openai"
            ? { authorization: `Bearer ${key}` }
            : { "x-api-key": key, "anthropic-version": "2023-06-01" }),
          ...ONCE,
          ...headers,
        },
        body: raw ? (body as string) : JSON.stringify(body),
        ...(signal && { signal }),
      });
    },
    async stop() {
      await Promise.all([gw.stop(), up.stop()]);
    },
  };
}

/** A body that every endpoint of this dialect takes. */
export function bodyFor(dialect: Dialect, more: object = {}, model = MODEL[dialect]): object {
  return {
    model,
    ...(dialect === "anthropic" && { max_tokens: 999 }),
    messages: [{ role: "user", content: "Say it in five words" }],
    ...more,
  };
}
