import type { ProtocolName } from "../core/chat.ts";
import { FOREIGN_MEMBERS, type ForeignMember } from "../protocols/openai-chat/foreign.ts";
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
   * As the vendor's SDK takes it, `{name}` standing for a parameter of the deployment; null = every
   * deployment brings its own `api_base`.
   */
  baseUrl: string | null;
  /** Parameters that address or signature are made of, with their defaults; null = a deployment has to say it. */
  params?: Readonly<Record<string, string | null>>;
  /** Base URLs in the place of the template's, for a value of a parameter. */
  baseUrlFor?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Where the vendor serves the protocol otherwise than its maker. */
  hosting?: Hosting;
  /** Other dialects that the same address serves: their callers pass through unchanged. */
  also?: Readonly<Partial<Record<ProtocolName, Hosting | "same">>>;
  auth: ProviderAuth;
  /** How usage in streams is had: asked for with `include_usage`, there without asking, or never. */
  streamUsage: "include_usage" | "always" | "none";
  /** Member of a request that says which conversation's prompt cache it is to meet, where the provider has one. */
  cacheKey?: string;
  /** Members of other makers' in a conversation that it answers with a refusal; absent = unknown, they are sent. */
  refuses?: readonly ForeignMember[];
  /** Variables that may hold a platform-wide key for this provider; the first that is set counts. */
  keyVariables: readonly string[];
  /** It serves the models that we list and no others; absent = the provider is asked for any other, too. */
  closed?: true;
}

const ROWS: readonly ProviderRow[] = [
  {
    slug: "openai",
    name: "OpenAI",
    protocol: "openai-chat",
    baseUrl: "https://api.openai.com/v1",
    also: { "openai-responses": "same" },
    auth: "bearer",
    cacheKey: "prompt_cache_key",
    streamUsage: "include_usage",
    refuses: FOREIGN_MEMBERS,
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
    also: { "openai-responses": "same" },
    auth: "bearer",
    streamUsage: "include_usage",
    // It writes `reasoning` itself and takes it back.
    refuses: FOREIGN_MEMBERS.filter((name) => name !== "reasoning"),
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
    refuses: FOREIGN_MEMBERS,
    keyVariables: ["MISTRAL_API_KEY"],
  },
  {
    slug: "xai",
    name: "xAI",
    protocol: "openai-chat",
    baseUrl: "https://api.x.ai/v1",
    also: { "openai-responses": "same" },
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
    slug: "gemini",
    name: "Google Gemini API",
    protocol: "gemini",
    baseUrl: "https://generativelanguage.googleapis.com",
    auth: { header: "x-goog-api-key" },
    streamUsage: "always",
    keyVariables: ["GEMINI_API_KEY", "GOOGLE_API_KEY"],
  },
  {
    slug: "vertex_ai",
    name: "Google Vertex AI",
    protocol: "gemini",
    baseUrl: "https://{vertex_location}-aiplatform.googleapis.com",
    baseUrlFor: { vertex_location: { global: "https://aiplatform.googleapis.com" } },
    params: { vertex_project: null, vertex_location: "us-central1" },
    hosting: {
      path: "/v1/projects/{vertex_project}/locations/{vertex_location}/publishers/google/models/{model}",
      calls: {
        whole: ":generateContent",
        stream: ":streamGenerateContent?alt=sse",
        array: ":streamGenerateContent",
      },
      count:
        "/v1/projects/{vertex_project}/locations/{vertex_location}/publishers/google/models/{model}:countTokens",
    },
    auth: "google",
    streamUsage: "always",
    keyVariables: [],
  },
  {
    slug: "azure",
    name: "Azure OpenAI",
    protocol: "openai-chat",
    baseUrl: null,
    params: { api_version: "2024-10-21" },
    hosting: {
      path: "/openai/deployments/{model}/chat/completions?api-version={api_version}",
      unless: /\/openai\/v1$/,
    },
    also: {
      "openai-responses": { path: "/openai/v1/responses", unless: /\/openai\/v1$/ },
    },
    auth: "azure",
    cacheKey: "prompt_cache_key",
    streamUsage: "include_usage",
    refuses: FOREIGN_MEMBERS,
    keyVariables: [],
  },
  {
    slug: "vertex_ai_anthropic",
    name: "Anthropic on Google Vertex AI",
    protocol: "anthropic",
    baseUrl: "https://{vertex_location}-aiplatform.googleapis.com",
    baseUrlFor: { vertex_location: { global: "https://aiplatform.googleapis.com" } },
    params: { vertex_project: null, vertex_location: "us-east5" },
    hosting: {
      path: "/v1/projects/{vertex_project}/locations/{vertex_location}/publishers/anthropic/models/{model}",
      calls: { whole: ":rawPredict", stream: ":streamRawPredict" },
      count:
        "/v1/projects/{vertex_project}/locations/{vertex_location}/publishers/anthropic/models/count-tokens:rawPredict",
      set: { anthropic_version: "vertex-2023-10-16" },
      remove: ["model"],
    },
    auth: "google",
    streamUsage: "always",
    keyVariables: [],
  },
  {
    slug: "bedrock",
    name: "Amazon Bedrock, Converse",
    protocol: "bedrock-converse",
    baseUrl: "https://bedrock-runtime.{aws_region_name}.amazonaws.com",
    params: { aws_region_name: null },
    auth: "aws",
    streamUsage: "always",
    keyVariables: [],
  },
  {
    slug: "bedrock_anthropic",
    name: "Anthropic on Amazon Bedrock, invoke",
    protocol: "anthropic",
    baseUrl: "https://bedrock-runtime.{aws_region_name}.amazonaws.com",
    params: { aws_region_name: null },
    hosting: {
      path: "/model/{model}",
      calls: { whole: "/invoke", stream: "/invoke-with-response-stream" },
      set: { anthropic_version: "bedrock-2023-05-31" },
      remove: ["model", "stream"],
      framing: "aws-chunks",
    },
    auth: "aws",
    streamUsage: "always",
    keyVariables: [],
  },
  {
    slug: "bedrock_openai",
    name: "OpenAI's form on Amazon Bedrock, invoke",
    protocol: "openai-chat",
    baseUrl: "https://bedrock-runtime.{aws_region_name}.amazonaws.com",
    params: { aws_region_name: null },
    hosting: {
      path: "/model/{model}",
      calls: { whole: "/invoke", stream: "/invoke-with-response-stream" },
      remove: ["model"],
      framing: "aws-chunks",
    },
    auth: "aws",
    streamUsage: "include_usage",
    keyVariables: [],
  },
  {
    slug: "cohere",
    name: "Cohere",
    protocol: "cohere",
    baseUrl: "https://api.cohere.com",
    auth: "bearer",
    streamUsage: "always",
    keyVariables: ["COHERE_API_KEY", "CO_API_KEY"],
  },
  {
    slug: "ollama",
    name: "Ollama",
    protocol: "ollama",
    baseUrl: null,
    auth: "bearer",
    streamUsage: "always",
    keyVariables: [],
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
    closed: true,
  },
];

const BY_SLUG: ReadonlyMap<string, ProviderRow> = new Map(ROWS.map((row) => [row.slug, row]));

/** The address that a provider has without anything said about a deployment; null where there is none. */
export function ownAddress(row: ProviderRow): string | null {
  return row.baseUrl?.includes("{") ? null : row.baseUrl;
}

/** What addresses and signatures of a provider's deployment are made of: its own parameters over the row's. */
export function paramsFor(
  row: ProviderRow | undefined,
  own: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const defaults = Object.entries(row?.params ?? {}).flatMap(([name, value]) =>
    value === null ? [] : [[name, value] as const],
  );
  return { ...Object.fromEntries(defaults), ...own };
}

/** The row of a provider, undefined for a name that is none. */
export function findProvider(slug: string): ProviderRow | undefined {
  return BY_SLUG.get(slug);
}

/** All providers, in the order of the table. */
export function providers(): readonly ProviderRow[] {
  return ROWS;
}
