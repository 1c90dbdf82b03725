import { NO_USAGE, type TokenUsage } from "../core/usage.ts";

/** UTF-16 units that one token is taken for: fewer than real tokenizers need on average, so that we rather over-count. */
const UNITS_PER_TOKEN = 3;

/** A usage for an answer whose provider told none, from the request's bytes and the answer's length; marked so. */
export function estimateUsage(requestBytes: number, answerLength: number): TokenUsage {
  return {
    ...NO_USAGE,
    input: Math.ceil(requestBytes / UNITS_PER_TOKEN),
    output: Math.ceil(answerLength / UNITS_PER_TOKEN),
    estimated: true,
  };
}
