import { bareScope, scopeKey } from "../worker/core/scope.ts";
import type { ScopeView } from "../worker/core/account.ts";
import type { Scope } from "../worker/core/scope.ts";
import { beyond, plus } from "../worker/core/amount.ts";
import type { Amount } from "../worker/core/amount.ts";
import { blocksAt, budgetAt, thresholdsOf, throttlesAt } from "../worker/core/limits.ts";
import type { Definition, Limits } from "../worker/core/limits.ts";
import { MINUTE_MS } from "../worker/core/time.ts";
import { windowAt } from "../worker/core/windows.ts";
import type { Span } from "../worker/core/windows.ts";
import type { SpendRow } from "./ledger-rows.ts";

const UNLIMITED: Readonly<Amount> = Object.freeze({
  cost: Infinity,
  requests: Infinity,
  tokens: Infinity,
});

/** A scope's window and definition at a time: only the ledger tells which one it is (PLATFORM 19, 24). */
export interface Window {
  id: string;
  /** Unix milliseconds; null = never. */
  endsAt: number | null;
  revision: number;
}

/** What a meter allows in its window; `Infinity` where nothing is limited. */
export interface Terms {
  window: Window;
  /** null = the scope has no limits at all. */
  limits: Limits | null;
  /** For requests to the target that they asked for. */
  cap: Amount;
  /** For those that were swapped to a cheaper one. */
  cheapCap: Amount;
}

/** The terms of a scope's meter: money in the window of its budget, rates in the clock minute, slots at any time. */
export function termsOf(scope: Scope, definition: Definition | null, now: number): Terms {
  const limits = definition?.limits ?? null;
  const revision = definition?.revision ?? 0;
  if (scope.meter === "rate") {
    const startsAt = Math.floor(now / MINUTE_MS) * MINUTE_MS;
    const { rpm = Infinity, tpm = Infinity } = limits ?? {};
    const cap = { cost: Infinity, requests: rpm, tokens: tpm };
    const window = { id: `m${startsAt / MINUTE_MS}`, endsAt: startsAt + MINUTE_MS, revision };
    return { window, limits, cap, cheapCap: cap };
  }
  if (scope.meter === "slots" || limits === null) {
    const cap =
      scope.meter === "slots"
        ? { ...UNLIMITED, requests: limits?.parallel ?? Infinity }
        : UNLIMITED;
    return { window: { id: "life", endsAt: null, revision }, limits, cap, cheapCap: cap };
  }
  const { id, endsAt } = windowOf(limits, now);
  const most = blocksAt(limits, now) ?? Infinity;
  const cap = { ...UNLIMITED, cost: Math.min(throttlesAt(limits, now) ?? Infinity, most) };
  return {
    window: { id, endsAt, revision },
    limits,
    cap,
    cheapCap: { ...UNLIMITED, cost: most },
  };
}

/** The window of a budget that an instant lies in. */
export function windowOf(
  { duration, timeZone, since }: Pick<Limits, "duration" | "timeZone" | "since">,
  at: number,
): Span {
  return windowAt(duration, timeZone, since, at);
}

/** What stands against a window's terms. */
export function standingOf(row: Pick<SpendRow, "settled" | "outstanding">): Amount {
  return plus(row.settled, row.outstanding);
}

/** What is left below a cap. */
export function roomBelow(cap: Amount, standing: Amount): Amount {
  return beyond(cap, standing);
}

/** What may be lent in advance without reaching over a threshold (PLATFORM 25). */
export function roomBelowNext({ limits, cap }: Terms, standing: Amount, now: number): Amount {
  const room = roomBelow(cap, standing);
  if (limits === null || !Number.isFinite(cap.cost)) return room;
  const next = thresholdsOf(limits, now).find(({ amount }) => amount > standing.cost);
  return next ? { ...room, cost: Math.min(room.cost, next.amount - standing.cost) } : room;
}

/** How a scope stands, as isolates and answers are told; null where nothing is limited. */
export function viewOf(
  scope: Scope,
  { window, limits, cap, cheapCap }: Terms,
  row: Pick<SpendRow, "settled" | "outstanding">,
  now: number,
): ScopeView | null {
  if (limits === null) return null;
  const limitOf = (n: number) => (Number.isFinite(n) ? n : null);
  const { settled, outstanding } = row;
  return {
    limit: {
      cost: limitOf(cheapCap.cost),
      requests: limitOf(cap.requests),
      tokens: limitOf(cap.tokens),
    },
    budget: scope.meter === undefined ? budgetAt(limits, now) : null,
    settled,
    outstanding,
    state: scope.meter === undefined ? stateOf(limits, settled.cost, outstanding.cost, now) : "ok",
    endsInMs: window.endsAt === null ? null : window.endsAt - now,
    endsAt: window.endsAt,
  };
}

function stateOf(
  limits: Limits,
  settled: number,
  outstanding: number,
  now: number,
): ScopeView["state"] {
  const cap = blocksAt(limits, now);
  if (cap !== null && settled >= cap) return "block";
  const throttle = throttlesAt(limits, now);
  if (throttle !== null && settled + outstanding >= throttle) return "throttle";
  const [first] = thresholdsOf(limits, now);
  return first !== undefined && settled >= first.amount ? "warn" : "ok";
}

/** Under what key a scope's limits stand: all its meters share them. */
export function definitionKey(scope: Scope): string {
  return scopeKey(bareScope(scope));
}
