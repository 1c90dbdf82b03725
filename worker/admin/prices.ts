import type { Prices } from "../core/money.ts";

/** Nano-dollars per 1,000 tokens in one dollar per token: 10⁹ × 10³. */
const SCALE = 12;
/** A thousand dollars a token; far from any price and from the end of exact integers. */
const MOST = 1_000n * 10n ** BigInt(SCALE);
const DECIMAL = /^(\d{0,20})(?:\.(\d{0,40}))?(?:e([+-]?\d{1,3}))?$/i;

/**
 * Whole nano-dollars per 1,000 tokens of a price in dollars per token, given as a JSON number or decimal text. It works
 * on the decimal digits, so no binary fraction creeps in; what is finer than a nano-dollar is rounded to the nearest,
 * but a price above zero never becomes zero. Null for a text that is no price.
 */
export function nanoPerThousand(dollarsPerToken: number | string): number | null {
  const [, whole = "", fraction = "", exponent = "0"] =
    DECIMAL.exec(String(dollarsPerToken).trim()) ?? [];
  if (whole === "" && fraction === "") return null;
  const digits = BigInt(whole + fraction);
  const shift = SCALE - fraction.length + Number(exponent);
  if (digits === 0n) return 0;
  if (shift > 40) return null;
  const scaled =
    shift >= 0 ? digits * 10n ** BigInt(shift) : rounded(digits, 10n ** BigInt(-shift));
  if (scaled > MOST) return null;
  return scaled === 0n ? 1 : Number(scaled);
}

function rounded(value: bigint, divisor: bigint): bigint {
  return (value + divisor / 2n) / divisor;
}

/** The dollars per token of a price, as the nearest JSON number. */
export function dollarsPerToken(nano: number): number {
  return Number(`${nano}e-${SCALE}`);
}

/** The price fields of a deployment by the class of tokens they are for. */
export const PRICE_FIELDS = {
  input_cost_per_token: "input",
  output_cost_per_token: "output",
  cache_read_input_token_cost: "cacheRead",
  cache_creation_input_token_cost: "cacheWrite",
  cache_creation_input_token_cost_above_1hr: "cacheWriteLong",
  output_cost_per_reasoning_token: "reasoning",
  input_cost_per_audio_token: "audioInput",
  output_cost_per_audio_token: "audioOutput",
  input_cost_per_image_token: "imageInput",
} as const satisfies Record<string, keyof Prices>;

export type PriceField = keyof typeof PRICE_FIELDS;
export const PRICE_FIELD_NAMES = Object.keys(PRICE_FIELDS) as PriceField[];
