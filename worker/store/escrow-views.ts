import type { HoldRequest, ScopeView } from "../core/account.ts";
import type { BudgetStanding } from "../core/policy.ts";
import type { Scope } from "../core/scope.ts";
import type { EscrowMemory } from "./escrow-memory.ts";

/** How the scopes of a request stand now, in their order; null where nothing is known. */
export function viewsOf(
  book: EscrowMemory,
  { scopes }: Pick<HoldRequest, "scopes">,
  now: number,
): (ScopeView | null)[] {
  return book.views(scopes).map((view) => aged(view, now));
}

/** A view as it would be told now: less time is left of its window. */
function aged(view: { of: ScopeView; at: number } | null, now: number): ScopeView | null {
  if (view === null) return null;
  const { of, at } = view;
  return { ...of, endsInMs: of.endsInMs === null ? null : Math.max(0, of.endsInMs - (now - at)) };
}

/** The budget of which the least is left. */
export function tightestOf(
  scopes: readonly Scope[],
  views: readonly ({ of: ScopeView; at: number } | null)[],
  now: number,
): BudgetStanding | undefined {
  let tightest: BudgetStanding | undefined;
  views.forEach((known, at) => {
    const view = aged(known, now);
    const scope = scopes[at];
    if (view?.budget == null || scope === undefined) return;
    const remaining = Math.max(0, view.budget - view.settled.cost);
    const remainingPct = view.budget === 0 ? 0 : (remaining / view.budget) * 100;
    if (tightest !== undefined && tightest.remainingPct <= remainingPct) return;
    const resetsInS = view.endsInMs === null ? null : Math.ceil(view.endsInMs / 1000);
    tightest = { remainingPct, remaining, state: view.state, scope: scope.kind, resetsInS };
  });
  return tightest;
}
