import type { TokenUsage } from "./usage.ts";

/** An amount of US dollars in whole nano-dollars (10⁻⁹ USD); never fractional, exact up to 9 million USD. */
export type NanoUsd = number;

/** List prices in nano-dollars per 1,000 tokens, whole numbers; an absent class is charged as its `else` class. */
export interface Prices {
  input: number;
  output: number;
  /** Prompt tokens served from the provider's cache; else `input`. */
  cacheRead?: number;
  /** Prompt tokens written to the provider's cache; else `input`. */
  cacheWrite?: number;
  /** The same with the provider's long time to live (Anthropic 1 h); else `cacheWrite`. */
  cacheWriteLong?: number;
  /** Thinking tokens; else `output`. */
  reasoning?: number;
  audioInput?: number;
  audioOutput?: number;
  imageInput?: number;
}

/** The cost of a usage record at these prices, rounded up to the whole nano-dollar once, at the end. */
export function costOf(usage: TokenUsage, prices: Prices): NanoUsd {
  const write = prices.cacheWrite ?? prices.input;
  const perThousand =
    BigInt(usage.input) * BigInt(prices.input) +
    BigInt(usage.cacheRead) * BigInt(prices.cacheRead ?? prices.input) +
    BigInt(usage.cacheWrite) * BigInt(write) +
    BigInt(usage.cacheWriteLong) * BigInt(prices.cacheWriteLong ?? write) +
    BigInt(usage.output) * BigInt(prices.output) +
    BigInt(usage.reasoning) * BigInt(prices.reasoning ?? prices.output) +
    BigInt(usage.audioInput) * BigInt(prices.audioInput ?? prices.input) +
    BigInt(usage.audioOutput) * BigInt(prices.audioOutput ?? prices.output) +
    BigInt(usage.imageInput) * BigInt(prices.imageInput ?? prices.input);
  return Number((perThousand + 999n) / 1000n);
}

/** Decimal text of an amount in USD without trailing zeros, as headers and answers show it (`0.00123`). */
export function usdText(amount: NanoUsd): string {
  const sign = amount < 0 ? "-" : "";
  const nano = Math.abs(amount);
  const whole = Math.floor(nano / 1e9);
  const fraction = String(nano % 1e9)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return fraction === "" ? `${sign}${whole}` : `${sign}${whole}.${fraction}`;
}

/** A JSON number of USD for answers whose clients expect a float (`max_budget`, `spend`). */
export function usdNumber(amount: NanoUsd): number {
  return amount / 1e9;
}

/** Nano-dollars of a USD figure that a caller sent as a JSON number, rounded to the nearest whole one. */
export function nanoUsd(usd: number): NanoUsd {
  return Math.round(usd * 1e9);
}
