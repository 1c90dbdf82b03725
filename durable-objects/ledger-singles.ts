import type { HoldRefusal, ScopeView, SingleMessage, SingleReply } from "../worker/core/account.ts";
import { beyond, covers, isNothing, NOTHING } from "../worker/core/amount.ts";
import type { Amount } from "../worker/core/amount.ts";
import type { Scope } from "../worker/core/scope.ts";
import { HOUR_MS } from "../worker/core/time.ts";
import { tellRefusal } from "./ledger-alerts.ts";
import { forgetAt, lendSingle, spendRowOf } from "./ledger-leases.ts";
import type { LedgerTables, SpendRow } from "./ledger-rows.ts";
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
 * Holds for one request, in all its scopes or in none, as `LedgerBook.single` says. What a message was granted it is
 * granted again; where its hold was given back before it came, it is not granted any more.
 */
export function holdSingle(
  tables: LedgerTables,
  message: SingleMessage,
  asked: { termsOf: (scope: Scope) => Terms; settleForLess: boolean; waiting: number },
  now: number,
): SingleReply {
  const { id, isolate, cheap, longestMs, request } = message;
  const known = tables.singles.get(id);
  if (known !== null && known.grants.length > 0) return { granted: true, grants: known.grants };
  const lent: { scope: Scope; terms: Terms; lent: Amount }[] = [];
  for (const { scope, max, ...item } of message.items) {
    const terms = asked.termsOf(scope);
    const row = spendRowOf(tables, scope, terms.window.id);
    const min = terms.limits?.tiers.capOutput === false ? max : item.min;
    const enough = asked.settleForLess ? min : max;
    const room = roomBelow(cheap ? terms.cheapCap : terms.cap, standingOf(row));
    if (known !== null || !covers(room, enough)) {
      const refused = refusal({ scope, terms, row, cheap, max, min }, now);
      if (refused.reason === "budget" && !refused.waits) {
        tellRefusal(tables, { scope, terms, entry: request, now });
      }
      return refused;
    }
    const others = asked.waiting + Number(!isNothing(row.outstanding));
    lent.push({ scope, terms, lent: shareOf(room, { max, enough, others }) });
  }
  const grants = lent.map(({ scope, ...each }) =>
    lendSingle(tables, isolate, scope, { ...each, longestMs }, now),
  );
  tables.singles.put(id, { grants }, forgetAt(now, HOUR_MS));
  return { granted: true, grants };
}

/**
 * What a request gets of the room: all that it asks for, or where that does not fit, its part of the room beside those
 * that hold some of it already and those that wait; never less than enough.
 */
function shareOf(
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
function refusal(
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
