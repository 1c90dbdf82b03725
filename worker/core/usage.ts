/**
 * What one attempt used, in tokens. Every token stands in exactly one class (PROTOCOLS 20), so that cost is a
 * plain sum and a total is the sum of all classes.
 */
export interface TokenUsage {
  /** Prompt tokens that were neither cached nor of another modality. */
  input: number;
  cacheRead: number;
  cacheWrite: number;
  /** Cache writes with the provider's long time to live. */
  cacheWriteLong: number;
  /** Answer tokens without reasoning and audio. */
  output: number;
  reasoning: number;
  audioInput: number;
  audioOutput: number;
  imageInput: number;
  /** True when any class was estimated by us because the provider did not tell. */
  estimated: boolean;
}

/** No tokens at all. */
export const NO_USAGE: Readonly<TokenUsage> = Object.freeze({
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  cacheWriteLong: 0,
  output: 0,
  reasoning: 0,
  audioInput: 0,
  audioOutput: 0,
  imageInput: 0,
  estimated: false,
});

/** All prompt-side tokens, whatever their class. */
export function promptTokens(usage: TokenUsage): number {
  return (
    usage.input +
    usage.cacheRead +
    usage.cacheWrite +
    usage.cacheWriteLong +
    usage.audioInput +
    usage.imageInput
  );
}

/** All answer-side tokens, whatever their class. */
export function completionTokens(usage: TokenUsage): number {
  return usage.output + usage.reasoning + usage.audioOutput;
}

/** A whole, non-negative token count out of whatever a provider sent; 0 for anything else. */
export function tokenCount(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0;
}

/** More than any model reads and writes in one request. */
const MOST_TOKENS = 100_000_000;

/** What a provider says it counted; undefined where nobody can mean it, so that it is estimated as if it said nothing. */
export function credible(usage: TokenUsage | undefined): TokenUsage | undefined {
  if (usage === undefined) return undefined;
  return promptTokens(usage) + completionTokens(usage) > MOST_TOKENS ? undefined : usage;
}
