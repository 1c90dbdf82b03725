import type { ProtocolName } from "../core/chat.ts";
import type { Hosting } from "./hosting.ts";

/**
 * How a provider wants to be proved who asks: a bearer token, a header of its own, nothing, or a cloud's scheme
 * (`azure`: key, Entra token or application; `google`: key or service account; `aws`: bearer key or Signature V4).
 */
export type ProviderAuth = "bearer" | "none" | "azure" | "google" | "aws" | { header: string };

/** One provider. A provider that speaks a known protocol is nothing more than such a row. */
export interface ProviderRow {
  slug: string;
  name: string;
  protocol: ProtocolName;
  /**
   * As the vendor's SDK takes it (CONTRACT 2.3), `{name}` standing for a parameter of the deployment; null = every
   * deployment brings its own `api_base`.
   */
  baseUrl: string | null;
  /** Parameters that address or signature are made of, with their defaults; null = a deployment has to say it. */
  params?: Readonly<Record<string, string | null>>;
  /** Where the vendor serves the protocol otherwise than its maker. */
  hosting?: Hosting;
  auth: ProviderAuth;
  /** How usage in streams is had: asked for with `include_usage`, there without asking, or never. */
  streamUsage: "include_usage" | "always" | "none";
  /** Variables that may hold a platform-wide key for this provider; the first that is set counts. */
  keyVariables: readonly string[];
}

const ROWS: readonly ProviderRow[] = [
  {
    slug: "openai",
    name: "OpenAI",
    protocol: "openai-chat",
    baseUrl: "https://api.openai.com/v1",
    auth: "bearer",
    streamUsage: "include_usage",
    keyVariables: ["OPENAI_API_KEY"],
  },
  {
    slug: "anthropic",
    name: "Anthropic",
    protocol: "anthropic",
    baseUrl: "https://api.anthropic.com",
    auth: { header: "x-api-key" },
    streamUsage: "always",
    keyVariables: ["ANTHROPIC_API_KEY"],
  },
  {
    slug: "groq",
    name: "Groq",
    protocol: "openai-chat",
    baseUrl: "https://api.groq.com/openai/v1",
    auth: "bearer",
    streamUsage: "include_usage",
    keyVariables: ["GROQ_API_KEY"],
  },
  {
    slug: "deepseek",
    name: "DeepSeek",
    protocol: "openai-chat",
    baseUrl: "https://api.deepseek.com/v1",
    auth: "bearer",
    streamUsage: "include_usage",
    keyVariables: ["DEEPSEEK_API_KEY"],
  },
  {
    slug: "mistral",
    name: "Mistral AI",
    protocol: "openai-chat",
    baseUrl: "https://api.mistral.ai/v1",
    auth: "bearer",
    // Usage stands in the last chunk unasked; `stream_options` has been refused (PROTOCOLS 20).
    streamUsage: "always",
    keyVariables: ["MISTRAL_API_KEY"],
  },
  {
    slug: "xai",
    name: "xAI",
    protocol: "openai-chat",
    baseUrl: "https://api.x.ai/v1",
    auth: "bearer",
    streamUsage: "include_usage",
    keyVariables: ["XAI_API_KEY"],
  },
  {
    slug: "moonshot",
    name: "Moonshot AI",
    protocol: "openai-chat",
    baseUrl: "https://api.moonshot.ai/v1",
    auth: "bearer",
    streamUsage: "include_usage",
    keyVariables: ["MOONSHOT_API_KEY"],
  },
  {
    slug: "dashscope",
    name: "Alibaba Cloud Model Studio",
    protocol: "openai-chat",
    baseUrl: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    auth: "bearer",
    streamUsage: "include_usage",
    keyVariables: ["DASHSCOPE_API_KEY"],
  },
  {
    slug: "openai_compatible",
    name: "Any OpenAI-compatible server",
    protocol: "openai-chat",
    baseUrl: null,
    auth: "bearer",
    streamUsage: "include_usage",
    keyVariables: [],
  },
  {
    slug: "sim",
    name: "Simulated provider inside the gateway",
    protocol: "openai-chat",
    baseUrl: "sim:",
    auth: "none",
    streamUsage: "include_usage",
    keyVariables: [],
  },
];

const BY_SLUG: ReadonlyMap<string, ProviderRow> = new Map(ROWS.map((row) => [row.slug, row]));

/** The row of a provider, undefined for a name that is none. */
export function findProvider(slug: string): ProviderRow | undefined {
  return BY_SLUG.get(slug);
}

/** All providers, in the order of the table. */
export function providers(): readonly ProviderRow[] {
  return ROWS;
}
