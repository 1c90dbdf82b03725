/**
 * Writes `worker/providers/models.ts` from @pydantic/genai-prices (MIT), the maintained source of prices and context
 * windows: `node scripts/models.ts`. Tiered prices take their lowest tier, dated prices the one in force today.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProvider, type ModelInfo, type ModelPrice } from "@pydantic/genai-prices";

/** Our slug -> theirs. */
const SOURCES: Record<string, string> = {
  openai: "openai",
  anthropic: "anthropic",
  groq: "groq",
  deepseek: "deepseek",
  mistral: "mistral",
  xai: "x-ai",
  moonshot: "moonshotai",
  gemini: "google",
  vertex_ai_anthropic: "google",
  bedrock: "aws",
  cohere: "cohere",
  azure: "azure",
};

/** Where one source lists the models of several of our providers: which are whose. */
const ONLY: Record<string, RegExp> = {
  gemini: /^(gemini|gemma)-/,
  vertex_ai_anthropic: /^claude-/,
};

type Match = { equals?: string; starts_with?: string; contains?: string; or?: Match[] };

function patterns(match: Match, kind: "equals" | "starts_with" | "contains"): string[] {
  const own = match[kind];
  return [
    ...(own === undefined ? [] : [own]),
    ...(match.or ?? []).flatMap((each) => patterns(each, kind)),
  ];
}

function priceInForce(prices: ModelInfo["prices"]): ModelPrice {
  if (!Array.isArray(prices)) return prices;
  const today = new Date().toISOString().slice(0, 10);
  const inForce = prices.filter((each) => {
    const constraint = each.constraint as { start_date?: string } | undefined;
    return (
      constraint === undefined ||
      (constraint.start_date !== undefined && constraint.start_date <= today)
    );
  });
  const last = inForce.at(-1) ?? prices[0];
  if (last === undefined) throw new Error("a model without prices");
  return last.prices;
}

/** USD per million tokens -> whole nano-dollars per thousand. */
function perThousand(price: ModelPrice[string]): number | undefined {
  if (price === undefined) return undefined;
  return Math.round((typeof price === "number" ? price : price.base) * 1e6);
}

const lines: string[] = [];
for (const [slug, id] of Object.entries(SOURCES)) {
  const provider = findProvider({ providerId: id });
  if (provider === undefined) throw new Error(`no provider ${id} in the price data`);
  for (const model of provider.models) {
    if (ONLY[slug]?.test(model.id) === false) continue;
    const parts = patterns(model.match as Match, "contains");
    const price = priceInForce(model.prices);
    const input = perThousand(price.input_mtok);
    const output = perThousand(price.output_mtok);
    if (input === undefined || output === undefined) continue;
    const prices = {
      input,
      output,
      cacheRead: perThousand(price.cache_read_mtok),
      cacheWrite: perThousand(price.cache_write_mtok),
      cacheWriteLong: perThousand(price.cache_write_1h_mtok),
      audioInput: perThousand(price.input_audio_mtok),
      audioOutput: perThousand(price.output_audio_mtok),
    };
    const row = {
      provider: slug,
      model: model.id,
      also: patterns(model.match as Match, "equals").filter((name) => name !== model.id),
      prefixes: patterns(model.match as Match, "starts_with"),
      ...(parts.length > 0 && { parts }),
      contextWindow: model.context_window,
      prices,
    };
    lines.push(`  ${JSON.stringify(row)},`);
  }
}

writeFileSync(
  join(import.meta.dirname, "../worker/providers/models-data.ts"),
  `// Written by scripts/models.ts from @pydantic/genai-prices (MIT). Do not edit: overrides stand in models.ts.
import type { ModelRow } from "./models.ts";

export const MODEL_ROWS: readonly ModelRow[] = [
${lines.join("\n")}
];
`,
);
console.log(`${lines.length} models written`);
