import type { Amount } from "../core/amount.ts";
import type { Authorized } from "../core/call.ts";
import type { Part } from "../core/chat.ts";
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

/**
 * What providers take one image for at most, whatever its bytes: tiles of the largest that Anthropic, Google and most of
 * OpenAI's models look at come to less. The few that count more raise their own bound (`overbilling`).
 */
const IMAGE_TOKENS = 8_000;
/** A page of a document is billed as its text and as an image: no more than two tokens to a byte of it. */
const TOKENS_PER_FILE_BYTE = 2;
/** Taken for what lies elsewhere, where the model's window is not known. */
const UNKNOWN_FILE = 200_000;

/** The worst case in dollars, as policies read it; null where nothing of the plan has a known price. */
export function worstCaseUsd(call: Sized, plan: readonly Deployment[]): number | null {
  return plan.some(({ facts }) => facts.prices) ? usdNumber(worstCase(call, plan).cost) : null;
}

/**
 * An upper bound of what the plan's dearest attempt may come to, with answers of at most `limit` tokens. A token of text is
 * at least one byte of the body; images and files count by what they can come to. Every prompt class is charged at the
 * dearest input price.
 */
export function worstCase(
  call: Sized,
  plan: readonly Deployment[],
  limit = Infinity,
  overbilling: Overbilling = () => 1,
): { cost: NanoUsd; requests: number; tokens: number } {
  const media = mediaIn(call.chat);
  let cost = 0;
  let tokens = 0;
  for (const deployment of plan) {
    const { prices } = deployment.facts;
    const prompt = promptOf(call, media, deployment);
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

interface Media {
  images: number;
  /** Characters of base64 of each file, null of one that lies elsewhere. */
  files: (number | null)[];
  /** Of all images and files, the characters that stand in the body. */
  bytes: number;
}

function mediaIn({ messages }: Pick<Sized["chat"], "messages">): Media {
  const media: Media = { images: 0, files: [], bytes: 0 };
  const add = (part: Part) => {
    if (part.type === "toolResult") part.parts.forEach(add);
    if (part.type !== "image" && part.type !== "file") return;
    const size = part.source.type === "data" ? part.source.data.length : null;
    media.bytes += size ?? 0;
    if (part.type === "image") media.images++;
    else media.files.push(size);
  };
  for (const { parts } of messages) parts.forEach(add);
  return media;
}

/** Tokens that the prompt may have: no file has more than the model's window. */
function promptOf({ bytes }: Sized, media: Media, { facts }: Deployment): number {
  const window = facts.contextWindow;
  const files = media.files.map((size) =>
    size === null
      ? (window ?? UNKNOWN_FILE)
      : Math.min(size * TOKENS_PER_FILE_BYTE, window ?? Infinity),
  );
  const text = Math.max(0, bytes - media.bytes);
  return text + media.images * IMAGE_TOKENS + files.reduce((sum, each) => sum + each, 0);
}

/** The limit that is sent at least: what a shorter one is made of where the protocol takes none. */
function leastOf({ chat }: Sized, { protocol }: Deployment): number {
  return Math.max(LEAST_OUTPUT[protocol] ?? 0, LEAST_OUTPUT[chat.dialect] ?? 0);
}

function answerOf({ chat }: Sized, { facts }: Deployment): number {
  return chat.sampling.maxOutputTokens ?? facts.maxOutput ?? UNKNOWN_OUTPUT;
}
