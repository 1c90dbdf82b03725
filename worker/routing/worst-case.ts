import type { Authorized } from "../core/call.ts";
import type { Deployment } from "../core/model.ts";
import { costOf, type NanoUsd } from "../core/money.ts";
import { NO_USAGE } from "../core/usage.ts";

/** Taken for the answer's length where neither the caller nor the model names a limit. */
const UNKNOWN_OUTPUT = 16_384;

/**
 * An upper bound of what the plan's dearest attempt may come to. A token is at least one byte of the body, so the
 * body's bytes bound the prompt; every prompt class is charged at the dearest input price.
 */
export function worstCase(
  call: Pick<Authorized, "bytes" | "chat">,
  plan: readonly Deployment[],
): { cost: NanoUsd; requests: number; tokens: number } {
  const prompt = call.bytes;
  let cost = 0;
  let tokens = 0;
  for (const { facts } of plan) {
    const answer = call.chat.sampling.maxOutputTokens ?? facts.maxOutput ?? UNKNOWN_OUTPUT;
    const output = answer * (call.chat.sampling.n ?? 1);
    tokens = Math.max(tokens, prompt + output);
    if (facts.prices === undefined) continue;
    const { input, cacheWrite = input, cacheWriteLong = cacheWrite, output: out } = facts.prices;
    const dearest = {
      ...facts.prices,
      input: Math.max(input, cacheWrite, cacheWriteLong),
      output: out,
    };
    cost = Math.max(cost, costOf({ ...NO_USAGE, input: prompt, output }, dearest));
  }
  return { cost, requests: 1, tokens };
}
