import type { Amount } from "../core/amount.ts";
import type { Authorized } from "../core/call.ts";
import type { Deployment } from "../core/model.ts";
import { LEAST_OUTPUT } from "../core/least-output.ts";
import { costOf, usdNumber, type NanoUsd } from "../core/money.ts";
import { NO_USAGE } from "../core/usage.ts";

/** Taken for the answer's length where neither the caller nor the model names a limit. */
const UNKNOWN_OUTPUT = 16_384;

/** An answer of fewer tokens is of no use: rather than that, the request is refused. */
export const USEFUL_OUTPUT = 16;

/** By how much a deployment bills beyond its bound. */
export type Overbilling = (deployment: string) => number;

type Sized = Pick<Authorized, "bytes" | "chat">;

/** The worst case in dollars, as policies read it; null where nothing of the plan has a known price. */
export function worstCaseUsd(call: Sized, plan: readonly Deployment[]): number | null {
  return plan.some(({ facts }) => facts.prices) ? usdNumber(worstCase(call, plan).cost) : null;
}

/**
 * An upper bound of what the plan's dearest attempt may come to, with answers of at most `limit` tokens. A token is at
 * least one byte of the body, so the body's bytes bound the prompt; every prompt class is charged at the dearest input
 * price.
 */
export function worstCase(
  call: Sized,
  plan: readonly Deployment[],
  limit = Infinity,
  overbilling: Overbilling = () => 1,
): { cost: NanoUsd; requests: number; tokens: number } {
  const prompt = call.bytes;
  let cost = 0;
  let tokens = 0;
  for (const deployment of plan) {
    const { prices } = deployment.facts;
    const longest = Math.max(
      Math.min(limit, answerOf(call, deployment)),
      leastOf(call, deployment),
    );
    const output = longest * (call.chat.sampling.n ?? 1);
    const factor = overbilling(deployment.id);
    tokens = Math.max(tokens, Math.ceil((prompt + output) * factor));
    if (prices === undefined) continue;
    const { input, cacheWrite = input, cacheWriteLong = cacheWrite, reasoning = 0 } = prices;
    const dearest = {
      ...prices,
      input: Math.max(input, cacheWrite, cacheWriteLong),
      output: Math.max(prices.output, reasoning),
    };
    const own = costOf({ ...NO_USAGE, input: prompt, output }, dearest);
    cost = Math.max(cost, Math.ceil(own * factor));
  }
  return { cost, requests: 1, tokens };
}

/** The longest answers, in tokens, with which no attempt of the plan comes to more than an amount. */
export function outputWithin(
  call: Sized,
  plan: readonly Deployment[],
  most: Amount,
  overbilling?: Overbilling,
): number {
  let low = 1;
  let high = plan.reduce((longest, each) => Math.max(longest, answerOf(call, each)), 1);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const { cost, tokens } = worstCase(call, plan, middle, overbilling);
    if (cost <= most.cost && tokens <= most.tokens) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The limit that is sent at least: what a shorter one is made of where the protocol takes none. */
function leastOf({ chat }: Sized, { protocol }: Deployment): number {
  return Math.max(LEAST_OUTPUT[protocol] ?? 0, LEAST_OUTPUT[chat.dialect] ?? 0);
}

function answerOf({ chat }: Sized, { facts }: Deployment): number {
  return chat.sampling.maxOutputTokens ?? facts.maxOutput ?? UNKNOWN_OUTPUT;
}
