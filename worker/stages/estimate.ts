import type { ChatRequest, Part } from "../core/chat.ts";
import { NO_USAGE, type TokenUsage } from "../core/usage.ts";

/** UTF-16 units that one token is taken for: fewer than real tokenizers need on average, so that we rather over-count. */
const UNITS_PER_TOKEN = 3;
/** Tokens of one image, document or sound: their bytes say nothing about it. */
const TOKENS_PER_MEDIUM = 1_500;

/**
 * A usage for an answer whose provider told none, from the request's bytes and the answer's length; marked so. Encoded
 * media among the bytes count as media.
 */
export function estimateUsage(
  chat: Pick<ChatRequest, "messages"> | null,
  requestBytes: number,
  answerLength: number,
): TokenUsage {
  const media = { count: 0, bytes: 0 };
  for (const { parts } of chat?.messages ?? []) countMedia(parts, media);
  const text = Math.max(0, requestBytes - media.bytes);
  return {
    ...NO_USAGE,
    input: Math.ceil(text / UNITS_PER_TOKEN) + media.count * TOKENS_PER_MEDIUM,
    output: Math.ceil(answerLength / UNITS_PER_TOKEN),
    estimated: true,
  };
}

/** How much of an answer a part is, in UTF-16 units. */
export function partLength(part: Part): number {
  if (part.type === "text" || part.type === "refusal" || part.type === "thinking") {
    return part.text.length;
  }
  return Math.max(1, JSON.stringify(part).length);
}

function countMedia(parts: readonly Part[], media: { count: number; bytes: number }): void {
  for (const part of parts) {
    if (part.type === "toolResult") countMedia(part.parts, media);
    else if (part.type === "audio") {
      media.count++;
      media.bytes += part.data.length;
    } else if (part.type === "image" || part.type === "file") {
      media.count++;
      if (part.source.type === "data") media.bytes += part.source.data.length;
    }
  }
}
