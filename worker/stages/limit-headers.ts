import type { ScopeView } from "../core/account.ts";

const STATES = ["ok", "warn", "throttle", "block"] as const;

/**
 * What callers are told of the limits over a request: of rates and budgets each the one that leaves the
 * least, as it stood when the request was admitted.
 */
export function limitHeaders(views: readonly ScopeView[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const place of ["requests", "tokens"] as const) {
    // Limits without an end are of requests at the same time; these headers speak of a minute.
    const rates = views.filter((view) => view.limit[place] !== null && view.endsInMs !== null);
    const tightest = least(rates, (view) => leftOf(view, place));
    if (tightest === null) continue;
    headers[`x-ratelimit-limit-${place}`] = String(tightest.limit[place]);
    headers[`x-ratelimit-remaining-${place}`] = String(leftOf(tightest, place));
    headers[`x-ratelimit-reset-${place}`] = `${Math.ceil((tightest.endsInMs ?? 0) / 1_000)}s`;
  }
  const budgets = views.filter(({ budget, limit }) => budget !== null || limit.cost !== null);
  if (budgets.length === 0) return headers;
  const state = Math.max(...budgets.map((view) => STATES.indexOf(view.state)));
  headers["x-routero-budget-state"] = STATES[state] ?? "ok";
  const resets = budgets.filter(({ endsAt }) => endsAt !== null);
  const tightest = least(resets, (view) => leftOf(view, "cost") / (view.limit.cost ?? Infinity));
  if (tightest?.endsAt != null) {
    headers["x-routero-budget-reset-at"] = new Date(tightest.endsAt).toISOString();
  }
  return headers;
}

function leftOf({ limit, settled, outstanding }: ScopeView, place: "cost" | "requests" | "tokens") {
  return Math.max(0, (limit[place] ?? Infinity) - settled[place] - outstanding[place]);
}

function least(views: ScopeView[], of: (view: ScopeView) => number): ScopeView | null {
  return views.reduce<ScopeView | null>(
    (found, view) => (found === null || of(view) < of(found) ? view : found),
    null,
  );
}
