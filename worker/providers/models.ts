import type { ModelFacts, Quirks, ReasoningControl } from "../core/model.ts";
import type { Prices } from "../core/money.ts";
import { familyFacts } from "./bedrock-data.ts";
import { MODEL_ROWS } from "./models-data.ts";

/** What the price source knows of a model; prices in nano-dollars per 1,000 tokens. */
export interface ModelRow {
  provider: string;
  model: string;
  /** Other exact names of the same model. */
  also: readonly string[];
  /** Names that begin like this are it too; the longest prefix wins. */
  prefixes: readonly string[];
  /** Names that hold one of these are it as well; the longest wins. */
  parts?: readonly string[];
  contextWindow?: number;
  prices: Prices;
}

/** Our own knowledge over the source's, by provider and prefix of the name; the longest prefix wins. */
interface Override {
  provider: string;
  prefix: string;
  facts: Omit<ModelFacts, "capabilities"> & Partial<Pick<ModelFacts, "capabilities">>;
}

const claude = (
  prefix: string,
  maxOutput: number,
  reasoning: ReasoningControl,
  quirks?: Quirks,
): Override => ({
  provider: "anthropic",
  prefix,
  facts: {
    maxOutput,
    reasoning,
    capabilities: { images: true, files: true, tools: true, parallel_tools: true, audio: false },
    ...(quirks && { quirks }),
  },
});

const reasoner = (prefix: string, refuses: readonly string[] = []): Override => ({
  provider: "openai",
  prefix,
  facts: { reasoning: "effort", quirks: { tokenLimit: "max_completion_tokens", refuses } },
});

/** What OpenAI's reasoning models refuse; those since GPT-5.1 take it while they do not reason. */
const UNSAMPLED = [
  "temperature",
  "top_p",
  "presence_penalty",
  "frequency_penalty",
  "logprobs",
  "top_logprobs",
  "logit_bias",
] as const;

const gemini = (
  prefix: string,
  maxOutput: number,
  reasoning: ReasoningControl,
  quirks?: Quirks,
): Override => ({
  provider: "gemini",
  prefix,
  facts: {
    maxOutput,
    reasoning,
    capabilities: { images: true, files: true, audio: true, tools: true, parallel_tools: true },
    ...(quirks && { quirks }),
  },
});

/** Tools and a JSON answer together came with Gemini 3 (https://ai.google.dev/gemini-api/docs/structured-output). */
const EITHER: Quirks = { formatWithoutTools: true };

const NO_SAMPLING: Quirks = { refuses: ["temperature", "top_p", "top_k"] };

/** Structured outputs came with 4.5 (https://platform.claude.com/docs/en/build-with-claude/structured-outputs). */
const BY_TOOL: Quirks = { schemaByTool: true };

const OVERRIDES: readonly Override[] = [
  claude("claude-3-haiku", 4096, "none", BY_TOOL),
  claude("claude-3-opus", 4096, "none", BY_TOOL),
  claude("claude-3-sonnet", 4096, "none", BY_TOOL),
  claude("claude-3-5", 8192, "none", BY_TOOL),
  claude("claude-3-7", 64_000, "budget", BY_TOOL),
  claude("claude-opus-4", 32_000, "budget", BY_TOOL),
  claude("claude-sonnet-4", 64_000, "budget", BY_TOOL),
  claude("claude-sonnet-4-5", 64_000, "budget"),
  claude("claude-haiku-4", 64_000, "budget"),
  claude("claude-opus-4-5", 64_000, "budget"),
  claude("claude-opus-4-6", 128_000, "adaptive"),
  claude("claude-opus-4-7", 128_000, "adaptive", NO_SAMPLING),
  claude("claude-opus-4-8", 128_000, "adaptive", NO_SAMPLING),
  claude("claude-sonnet-4-6", 64_000, "adaptive"),
  claude("claude-", 64_000, "adaptive"),
  reasoner("o1", UNSAMPLED),
  reasoner("o3", [...UNSAMPLED, "stop"]),
  reasoner("o4", [...UNSAMPLED, "stop"]),
  reasoner("gpt-5", [...UNSAMPLED, "stop"]),
  reasoner("gpt-5."),
  { provider: "openai", prefix: "gpt-5-chat", facts: {} },
  gemini("gemini-1.5", 8192, "none", EITHER),
  gemini("gemini-2.0", 8192, "none", EITHER),
  gemini("gemini-2.5", 65_536, "budget", EITHER),
  gemini("gemini-", 65_536, "effort"),
  { provider: "deepseek", prefix: "", facts: { quirks: { echoesReasoning: true } } },
  { provider: "moonshot", prefix: "", facts: { quirks: { echoesReasoning: true } } },
];

/** The simulated provider's models, priced so that spend can be watched without a real one. */
const SIM_MODELS = ["echo", "text", "tools", "thinking"] as const;
const SIM_FACTS: ModelFacts = {
  contextWindow: 1_000_000,
  maxOutput: 16_384,
  capabilities: {
    images: true,
    files: true,
    tools: true,
    parallel_tools: true,
    json_schema: true,
    streaming: true,
  },
  prices: { input: 1_000_000, output: 2_000_000, cacheRead: 100_000 },
};

const EXACT: ReadonlyMap<string, ModelRow> = new Map(
  MODEL_ROWS.flatMap((row) =>
    [row.model, ...row.also].map((name): [string, ModelRow] => [`${row.provider}/${name}`, row]),
  ),
);

/** Providers that serve the models of another's row under the same names and prices. */
const SAME_MODELS: Readonly<Record<string, string>> = {
  vertex_ai: "gemini",
  bedrock_anthropic: "bedrock",
  bedrock_openai: "bedrock",
};

/**
 * Clouds that serve other makers' models: how the maker's own name is read out of theirs, for what is known of the model
 * whoever serves it. Prices are the cloud's; the maker's where the cloud's list leaves some out and charges the same.
 */
const MADE_BY: Readonly<Record<string, { maker: string; name: RegExp; makersPrices?: true }>> = {
  azure: { maker: "openai", name: /^(.+)$/, makersPrices: true },
  bedrock: { maker: "anthropic", name: /(?:^|\.)anthropic\.(claude-.+?)(?:-v\d+(?::\d+)?)?$/ },
  bedrock_anthropic: {
    maker: "anthropic",
    name: /(?:^|\.)anthropic\.(claude-.+?)(?:-v\d+(?::\d+)?)?$/,
  },
  vertex_ai_anthropic: { maker: "anthropic", name: /^(claude-[^@]+)/ },
};

/** Everything known of a provider's model; unknown models have no prices and no stated capabilities. */
export function modelFacts(provider: string, model: string): ModelFacts {
  if (provider === "sim") return SIM_FACTS;
  const priced = SAME_MODELS[provider] ?? provider;
  const cloud = MADE_BY[provider];
  const [, made = ""] = cloud?.name.exec(model) ?? [];
  const row =
    rowOf(priced, model) ?? (cloud?.makersPrices === true ? rowOf(cloud.maker, made) : undefined);
  const override = overrideOf(priced, model) ?? (cloud && overrideOf(cloud.maker, made));
  return {
    capabilities: {},
    ...(row && { prices: row.prices }),
    ...(row?.contextWindow !== undefined && { contextWindow: row.contextWindow }),
    ...(provider === "bedrock" && familyFacts(model)),
    ...override?.facts,
  };
}

function overrideOf(provider: string, model: string): Override | undefined {
  return longest(
    OVERRIDES.filter((each) => each.provider === provider && model.startsWith(each.prefix)),
    (each) => each.prefix.length,
  );
}

/** The providers that are known to serve a model of this bare name, in the catalog's order. */
export function providersOf(model: string): string[] {
  const named = MODEL_ROWS.filter((row) => row.model === model || row.also.includes(model));
  const rows = named.length > 0 ? named : MODEL_ROWS.filter((row) => matchesPrefix(row, model));
  return [...new Set(rows.map((row) => row.provider))];
}

/** The model names of a provider that the price source lists. */
export function knownModels(provider: string): string[] {
  if (provider === "sim") return [...SIM_MODELS];
  return MODEL_ROWS.filter((row) => row.provider === provider).map((row) => row.model);
}

function rowOf(provider: string, model: string): ModelRow | undefined {
  const exact = EXACT.get(`${provider}/${model}`);
  if (exact) return exact;
  const rows = MODEL_ROWS.filter((row) => row.provider === provider);
  const byPrefix = longest(
    rows.filter((row) => matchesPrefix(row, model)),
    (row) => longestOf(row.prefixes, (prefix) => model.startsWith(prefix)),
  );
  if (byPrefix) return byPrefix;
  return longest(
    rows.filter((row) => row.parts?.some((part) => model.includes(part))),
    (row) => longestOf(row.parts ?? [], (part) => model.includes(part)),
  );
}

function matchesPrefix(row: ModelRow, model: string): boolean {
  return row.prefixes.some((prefix) => model.startsWith(prefix));
}

/** Length of the longest text that fits; 0 for none. */
function longestOf(texts: readonly string[], fits: (text: string) => boolean): number {
  return Math.max(0, ...texts.filter(fits).map((text) => text.length));
}

function longest<T>(rows: readonly T[], length: (row: T) => number): T | undefined {
  let best: T | undefined;
  for (const row of rows) if (best === undefined || length(row) > length(best)) best = row;
  return best;
}
