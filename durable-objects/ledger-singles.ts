import type { HoldRefusal, ScopeView } from "../worker/core/account.ts";
import { beyond, covers, NOTHING } from "../worker/core/amount.ts";
import type { Amount } from "../worker/core/amount.ts";
import type { Scope } from "../worker/core/scope.ts";
import type { SpendRow } from "./ledger-rows.ts";
import { roomBelow, standingOf, viewOf } from "./ledger-terms.ts";
import type { Terms } from "./ledger-terms.ts";

const NO_VIEW: ScopeView = {
  limit: { cost: null, requests: null, tokens: null },
  budget: null,
  settled: NOTHING,
  outstanding: NOTHING,
  state: "ok",
  endsInMs: null,
  endsAt: null,
};

/**
 * What a request gets of the room: all that it asks for, or where that does not fit, its part of the room beside those
 * that hold some of it already and those that wait; never less than enough.
 */
export function shareOf(
  room: Amount,
  { max, enough, others }: { max: Amount; enough: Amount; others: number },
): Amount {
  const place = (name: keyof Amount) =>
    room[name] >= max[name]
      ? max[name]
      : Math.max(enough[name], Math.floor(room[name] / (1 + others)));
  return { cost: place("cost"), requests: place("requests"), tokens: place("tokens") };
}

/** Why a request is refused: by a cap that only others' reservations fill, or for good. */
export function refusal(
  asked: { scope: Scope; terms: Terms; row: SpendRow; cheap: boolean; max: Amount; min: Amount },
  now: number,
): HoldRefusal {
  const { scope, terms, row, cheap, max, min } = asked;
  const view = viewOf(scope, terms, row, now) ?? NO_VIEW;
  const cap = cheap ? terms.cheapCap : terms.cap;
  const whole = beyond(cap, row.settled);
  const mayThrottle =
    !cheap &&
    terms.cheapCap.cost > terms.cap.cost &&
    covers(roomBelow(terms.cheapCap, standingOf(row)), min);
  const reason = scope.meter ?? (mayThrottle ? "throttle" : "budget");
  return {
    granted: false,
    reason,
    scope,
    view,
    needed: max,
    waits: covers(whole, min),
    fits: covers(whole, max),
  };
}
