import type { ModelFacts, Quirks, ReasoningControl } from "../core/model.ts";
import type { Prices } from "../core/money.ts";
import { MODEL_ROWS } from "./models-data.ts";

/** What the price source knows of a model; prices in nano-dollars per 1,000 tokens. */
export interface ModelRow {
  provider: string;
  model: string;
  /** Other exact names of the same model. */
  also: readonly string[];
  /** Names that begin like this are it too; the longest prefix wins. */
  prefixes: readonly string[];
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

const reasoner = (prefix: string): Override => ({
  provider: "openai",
  prefix,
  facts: { reasoning: "effort", quirks: { tokenLimit: "max_completion_tokens" } },
});

const NO_SAMPLING: Quirks = { refuses: ["temperature", "top_p", "top_k"] };

const OVERRIDES: readonly Override[] = [
  claude("claude-3-haiku", 4096, "none"),
  claude("claude-3-opus", 4096, "none"),
  claude("claude-3-5", 8192, "none"),
  claude("claude-3-7", 64_000, "budget"),
  claude("claude-opus-4", 32_000, "budget"),
  claude("claude-sonnet-4", 64_000, "budget"),
  claude("claude-haiku-4", 64_000, "budget"),
  claude("claude-opus-4-5", 64_000, "budget"),
  claude("claude-opus-4-6", 128_000, "adaptive"),
  claude("claude-opus-4-7", 128_000, "adaptive", NO_SAMPLING),
  claude("claude-opus-4-8", 128_000, "adaptive", NO_SAMPLING),
  claude("claude-sonnet-4-6", 64_000, "adaptive"),
  claude("claude-", 64_000, "adaptive"),
  reasoner("o1"),
  reasoner("o3"),
  reasoner("o4"),
  reasoner("gpt-5"),
  { provider: "deepseek", prefix: "", facts: { quirks: { echoesReasoning: true } } },
  { provider: "moonshot", prefix: "", facts: { quirks: { echoesReasoning: true } } },
];

/** The simulated provider's models, priced so that spend can be watched without a real one. */
export const SIM_MODELS = ["echo", "text", "tools", "thinking"] as const;
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

/** Everything known of a provider's model; unknown models have no prices and no stated capabilities. */
export function modelFacts(provider: string, model: string): ModelFacts {
  if (provider === "sim") return SIM_FACTS;
  const row = rowOf(provider, model);
  const override = longest(
    OVERRIDES.filter((each) => each.provider === provider && model.startsWith(each.prefix)),
    (each) => each.prefix.length,
  );
  return {
    capabilities: {},
    ...(row && { prices: row.prices }),
    ...(row?.contextWindow !== undefined && { contextWindow: row.contextWindow }),
    ...override?.facts,
  };
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
  return longest(
    MODEL_ROWS.filter((row) => row.provider === provider && matchesPrefix(row, model)),
    (row) =>
      Math.max(
        ...row.prefixes.filter((prefix) => model.startsWith(prefix)).map((prefix) => prefix.length),
      ),
  );
}

function matchesPrefix(row: ModelRow, model: string): boolean {
  return row.prefixes.some((prefix) => model.startsWith(prefix));
}

function longest<T>(rows: readonly T[], length: (row: T) => number): T | undefined {
  let best: T | undefined;
  for (const row of rows) if (best === undefined || length(row) > length(best)) best = row;
  return best;
}
