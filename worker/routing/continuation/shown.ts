import { NO_USAGE, type TokenUsage } from "../../core/usage.ts";

/** What an attempt brought to the answer that the caller has. */
export interface Share {
  /** As its provider counted it, or estimated. */
  usage: TokenUsage;
  /** UTF-16 units of text that it wrote, and that reached the caller. */
  came: number;
  passed: number;
}

/**
 * The usage of an answer made by several providers (PROTOCOLS 19): what the first was asked, and what the caller got of
 * each. Thinking behind the first is not shown, since the caller never saw it.
 */
export function shownUsage(shares: readonly Share[]): TokenUsage {
  const [first, ...later] = shares;
  if (first === undefined) return { ...NO_USAGE };
  if (later.length === 0) return first.usage;
  const out: TokenUsage = { ...first.usage, estimated: true };
  for (const { usage, came, passed } of later) {
    if (passed > 0)
      out.output += came > passed ? Math.ceil((usage.output * passed) / came) : usage.output;
  }
  return out;
}
