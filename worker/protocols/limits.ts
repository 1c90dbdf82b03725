import type { AnnouncedLimits } from "../core/health.ts";

/** The headers in which a provider announces one of its limits, lower case. */
export interface LimitHeaders {
  limit: string;
  remaining: string;
  /** When it renews: a duration ("6m0s", "20ms", seconds) or a date. */
  reset: string;
}

/** OpenAI's form, which most that are compatible with it share. */
export const OPENAI_LIMITS: readonly LimitHeaders[] = ["requests", "tokens"].map((what) => ({
  limit: `x-ratelimit-limit-${what}`,
  remaining: `x-ratelimit-remaining-${what}`,
  reset: `x-ratelimit-reset-${what}`,
}));

export const ANTHROPIC_LIMITS: readonly LimitHeaders[] = [
  "requests",
  "tokens",
  "input-tokens",
  "output-tokens",
].map((what) => ({
  limit: `anthropic-ratelimit-${what}-limit`,
  remaining: `anthropic-ratelimit-${what}-remaining`,
  reset: `anthropic-ratelimit-${what}-reset`,
}));

/** The tightest of the limits that an answer announces; undefined where it announces none that can be read. */
export function announcedLimits(
  headers: Headers,
  names: readonly LimitHeaders[],
): AnnouncedLimits | undefined {
  let tightest: AnnouncedLimits | undefined;
  for (const { limit, remaining, reset } of names) {
    const left = numberIn(headers.get(remaining));
    const most = numberIn(headers.get(limit));
    const renewsIn = untilReset(headers.get(reset), headers.get("date"));
    if (left === undefined || renewsIn === undefined) continue;
    if (left > 0 && (most === undefined || most === 0)) continue;
    // Rounded down, so that what is not used up never counts as such.
    const used = left <= 0 ? 1 : Math.max(0, Math.floor((1 - left / (most ?? left)) * 1e4) / 1e4);
    const tighter =
      tightest === undefined ||
      used > tightest.used ||
      (used === tightest.used && renewsIn > tightest.renewsIn);
    if (tighter) tightest = { used, renewsIn };
  }
  return tightest;
}

function numberIn(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}(\.\d+)?$/.test(text.trim()) ? Number(text) : undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds until a limit renews; a date counts from the answer's own clock. */
function untilReset(text: string | null, sentAt: string | null): number | undefined {
  const reset = text?.trim() ?? "";
  const seconds = numberIn(reset);
  if (seconds !== undefined) return Math.ceil(seconds * 1000);
  if (/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(reset)) {
    let sum = 0;
    for (const [, value, unit] of reset.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
      sum += Number(value) * (UNIT_MS[unit ?? ""] ?? 0);
    }
    return Math.ceil(sum);
  }
  const until = Date.parse(reset);
  const sent = Date.parse(sentAt ?? "");
  return Number.isFinite(until - sent) ? Math.max(0, until - sent) : undefined;
}
