import { beyond, least, NOTHING, plus } from "./amount.ts";
import type { Amount } from "./amount.ts";
import type { AuditRecord } from "./audit.ts";
import type { Definition } from "./limits.ts";
import type { NanoUsd } from "./money.ts";
import type { Overbillings } from "./overbilling.ts";
import { bareScope, kept, scopeKey } from "./scope.ts";
import type { Payer, Scope } from "./scope.ts";
import { completionTokens, promptTokens } from "./usage.ts";
import type { TokenUsage } from "./usage.ts";

/**
 * The worst case that a request may come to, asked for before the provider is called. Asked again under the same
 * request id with a greater `max`, it raises the hold to that: so it is done before each further attempt (PLATFORM 26).
 */
export interface HoldRequest {
  orgId: string;
  teamId: string;
  requestId: string;
  /** Raised with other scopes than before, it is held in both, and up to the new `max` in those that are named now. */
  scopes: Scope[];
  max: Amount;
  /** Less than `max` that would do: where the whole does not fit, the hold may come to anything between. */
  min?: Amount;
  /** The request goes to a cheaper target: it may use a budget beyond the point from which others are throttled. */
  cheap?: boolean;
  /** How long the request may run, milliseconds. */
  longestMs?: number;
  /** Deployments whose bound `max` raises, by how much. */
  overbilling?: Overbillings;
}

/**
 * A request's share of one lease: the window and revision that it was lent under (PLATFORM 24), and how much of it the
 * request set aside. A request that was raised after a lease ended may hold two shares of one scope.
 */
export interface LeaseRef {
  scope: Scope;
  leaseId: string;
  windowId: string;
  revision: number;
  reserved: Amount;
  /** Lent for this request alone: what is left when it ends is free again at once. */
  single?: true;
}

/** How a scope stood when its ledger last said so. */
export interface ScopeView {
  /** What is refused beyond; null = not limited in this place. */
  limit: { [place in keyof Amount]: number | null };
  /** The budget, from which a throttled scope's limit may differ; null = none. */
  budget: NanoUsd | null;
  settled: Amount;
  outstanding: Amount;
  state: "ok" | "warn" | "throttle" | "block";
  /** Milliseconds until the window ends, from when the ledger answered; null = never. */
  endsInMs: number | null;
  /** The same instant by the ledger's clock, Unix milliseconds: to be shown, not to be reckoned with. */
  endsAt: number | null;
}

/** Which scope has no room for a request, how it stands, and whether waiting could help. */
export interface HoldRefusal {
  granted: false;
  /** `throttle`: a cheaper target would still be admitted. */
  reason: "budget" | "rate" | "slots" | "throttle";
  scope: Scope;
  view: ScopeView;
  /** What the request asked for in this scope. */
  needed: Amount;
  /** The least that would do would fit if what others have reserved were free; `fits`: the whole would. */
  waits: boolean;
  fits: boolean;
  /** How all scopes of the request stood, as far as it is known. */
  views?: ScopeView[];
}

/** What became of a hold: all its scopes are granted, or none is. */
export type HoldAnswer =
  | {
      granted: true;
      holdId: string;
      leases: LeaseRef[];
      /** What is held: less than was asked for only if a `min` allowed that. */
      amount: Amount;
      /** How the scopes stood, in the order of the request's. */
      views: (ScopeView | null)[];
    }
  | HoldRefusal;

/** One paid or failed call of a provider. */
export interface AttemptRow {
  n: number;
  deployment: string;
  provider: string;
  model: string;
  usage: TokenUsage;
  cost: NanoUsd;
  priceKnown: boolean;
  /** HTTP status of the provider, 0 where none came. */
  status: number;
  /** Fault class, absent on success. */
  error?: string;
  /** Where the attempt ended before anything was sent to the provider; else absent. */
  sent?: false;
  /** After a failure: the deployment that was tried next, or why none was. */
  next?: string;
  /** Milliseconds that were waited before it. */
  waitMs?: number;
  /** Unix milliseconds. */
  startedAt: number;
  durationMs: number;
  timeToFirstTokenMs?: number;
}

/** How a request ended; `refused` ones reached no provider. */
export type Outcome = "success" | "failure" | "cancelled" | "refused";

/** The whole row of money of one request: the only message that debits (PLATFORM 27). */
export interface SettleRow extends Payer {
  requestId: string;
  holdId?: string;
  leases: LeaseRef[];
  /** Scopes that not every attempt is charged to: model groups, and limits on one model. */
  apart?: Apart[];
  /** What each name bears that the request could be limited under: its groups, and what it asked for. */
  names?: { name: string; cost: NanoUsd }[];
  keyHandle?: string;
  /** Who called, as the outcome record names it; absent = the key, or else the gateway. */
  actor?: string;
  /** The model as asked for; `group` is what served. */
  model: string;
  endpoint: string;
  stream: boolean;
  tags: string[];
  outcome: Outcome;
  /** HTTP status that the caller saw. */
  status: number;
  attempts: AttemptRow[];
  /** Moves to another model group; absent = none. */
  fallbacks?: number;
  /** Usage as shown to the caller. */
  usage: TokenUsage;
  /** The sum over all attempts. */
  cost: NanoUsd;
  /** Unix milliseconds. */
  startedAt: number;
  durationMs: number;
  timeToFirstTokenMs?: number;
}

/** What a row debits to each of its scopes: every attempt counts, and a request of which nothing was sent counts nothing. */
export function chargeOf(row: Pick<SettleRow, "attempts">): Amount {
  let sum: Amount = NOTHING;
  for (const { cost, usage } of row.attempts) {
    sum = plus(sum, { cost, requests: 0, tokens: promptTokens(usage) + completionTokens(usage) });
  }
  const sent = row.attempts.some((each) => each.sent !== false);
  return { ...sum, requests: sent ? 1 : 0 };
}

/** What a scope is charged of a request of which other attempts are charged elsewhere. */
export interface Apart {
  /** Without its meter. */
  scope: Scope;
  charged: Amount;
}

/** What of a request's whole charge one scope has to bear. */
export function chargeIn(scope: Scope, whole: Amount, apart: readonly Apart[] = []): Amount {
  const key = scopeKey(bareScope(scope));
  return kept(scope, apart.find((each) => scopeKey(each.scope) === key)?.charged ?? whole);
}

/** A part of what one lease lent. */
export interface LeaseShare {
  leaseId: string;
  amount: Amount;
}

/**
 * Takes an amount out of the shares that one scope's hold is made of, the first one first. Borrower and lender both
 * reckon with it, so that they agree on what is left of every lease.
 */
export function drawFrom(
  refs: readonly LeaseRef[],
  amount: Amount,
): { draws: (LeaseShare & { rest: Amount })[]; overrun: Amount } {
  let left = amount;
  const draws = refs.map(({ leaseId, reserved }) => {
    const drawn = least(left, reserved);
    left = beyond(left, drawn);
    return { leaseId, amount: drawn, rest: beyond(reserved, drawn) };
  });
  return { draws, overrun: left };
}

/**
 * What one isolate wants of one scope. `n` grows with every message of an isolate; an item whose answer is not known is
 * sent again as it was, and the ledger answers it as it did (PLATFORM 21).
 */
export interface HoldItem extends ReturnItem {
  /** The lease to go on with, null for the first. */
  leaseId: string | null;
  /** The worst case of one request, as it came last. */
  worst: Amount;
  /** The slice asked for. */
  want: Amount;
  /** How long requests that are admitted from it may run, milliseconds. */
  longestMs: number;
}

/** Parts of leases that the isolate will not admit from any more. */
export interface ReturnItem {
  scope: Scope;
  n: number;
  give: LeaseShare[];
}

/** Asks for slices, one item a scope; each is answered by a grant, possibly of nothing. */
export interface HoldMessage {
  isolate: string;
  items: HoldItem[];
}

/** Gives back what an isolate does not need. */
export interface ReturnMessage {
  isolate: string;
  items: ReturnItem[];
  /** Single holds that are not needed any more, or of which it is not known whether they were granted, by their id. */
  singles?: string[];
}

/** A hold for one request, near a limit: all its items are granted, or none is. */
export interface SingleMessage {
  isolate: string;
  /** Names the message; sent again under the same id it is answered as before. */
  id: string;
  /** Who asks: an event tells of the first that a budget refuses. */
  request: { orgId: string; teamId: string; requestId: string };
  items: { scope: Scope; max: Amount; min: Amount }[];
  cheap: boolean;
  /** How long the request may run, milliseconds. */
  longestMs: number;
  /** How long it may wait for what others have reserved, milliseconds. */
  waitMs: number;
}

/** One grant an item, or one refusal for all of them. */
export type SingleReply = { granted: true; grants: Grant[] } | HoldRefusal;

/** What the ledger lent for one item. `ttlMs` is a duration that the isolate counts from before it asked (PLATFORM 19). */
export interface Grant {
  n: number;
  leaseId: string;
  windowId: string;
  revision: number;
  lent: Amount;
  ttlMs: number;
  /** Near a limit nothing is lent in advance: each request is held by itself. */
  tight: boolean;
  view: ScopeView | null;
}

/** `null` in place of a grant: the isolate itself has sent something newer about this scope. */
export type HoldReply = (Grant | null)[];

/**
 * What became of a row. `settled` now, `known` from before, `late`: it took the place of an estimate. `stale` and
 * `refused` rows were not debited: too old to tell whether they were, or not well formed.
 */
export interface SettleResult {
  requestId: string;
  state: "settled" | "known" | "late" | "stale" | "refused";
}

/** A decision on record that has no outcome: it is charged as reserved, until a settlement tells better. */
export interface AbandonedDecision extends Payer {
  requestId: string;
  leases: LeaseRef[];
  keyHandle?: string;
  actor?: string;
  model: string;
  endpoint: string;
  stream: boolean;
  /** Unix milliseconds. */
  decidedAt: number;
}

/** What stands against a scope in its present window, in one ledger. */
export interface ScopeSpend {
  scope: Scope;
  windowId: string;
  settled: Amount;
  /** Lent to isolates and neither settled nor returned: holds of running requests and what they have in stock. */
  outstanding: Amount;
  /** Lent to isolates that never accounted for it (PLATFORM 31); an upper bound, no part of `settled`. */
  unattributed: Amount;
  /** The part of `settled` that stands on estimates of abandoned decisions. */
  estimated: Amount;
  /** What requests came to beyond their own worst case; a part of `settled`. */
  overrun: NanoUsd;
  /** How many settlements took the place of an estimate. */
  late: number;
  /** How it stands against its limits; null = it has none. */
  view: ScopeView | null;
}

/** What one request is charged in the scopes of another ledger than its team's. */
export interface ForeignDebit {
  orgId: string;
  requestId: string;
  /** Unix milliseconds. */
  startedAt: number;
  charged: Amount;
  apart?: Apart[];
  estimated: boolean;
  leases: LeaseRef[];
}

/** What a scope spent without a lease. */
export interface Spent {
  scope: Scope;
  /** When the request began, Unix milliseconds. */
  at: number;
  cost: NanoUsd;
}

/** What one ledger tells another of what was spent without leases. */
export interface SpentMessage {
  /** The ledger that tells. */
  from: string;
  /** Grows with each message of that ledger; one that is sent again is known by it. */
  seq: number;
  spent: Spent[];
}

/** The authority for one team's money, as an isolate or another object sees it. Every call may be sent again. */
export interface LedgerPort {
  hold(message: HoldMessage): Promise<HoldReply>;
  return(message: ReturnMessage): Promise<void>;
  /** At most 128 rows; results in their order. */
  settle(rows: SettleRow[]): Promise<SettleResult[]>;
  settleAbandoned(decision: AbandonedDecision): Promise<SettleResult>;
  /** Holds for one request; waits for what others have reserved, first come first served. */
  single(message: SingleMessage): Promise<SingleReply>;
  /** Debits of requests that other ledgers settled; each counts once. */
  debit(debits: ForeignDebit[]): Promise<void>;
  /** Takes what was spent elsewhere in its scopes without leases; messages of one sender come in their order. */
  spent(messages: SpentMessage[]): Promise<void>;
  /**
   * Takes new limits; older revisions of a scope's change nothing. The answer says in how many milliseconds the last
   * slice that was lent under earlier ones ends.
   */
  define(definitions: Definition[]): Promise<number>;
  spend(scopes: Scope[]): Promise<ScopeSpend[]>;
}

/** One request's money as usage consumers get it; sums add `delta`, rows keep the highest `revision`. */
export interface UsageEvent {
  /** `evt_`, derived from the request: a row that is sent again makes the same one. */
  eventId: string;
  /** 1, or 2 where it takes the place of an estimate. */
  revision: 1 | 2;
  /** Unix milliseconds of the ledger. */
  settledAt: number;
  row: Omit<SettleRow, "leases" | "holdId" | "apart" | "names">;
  charged: Amount;
  /** `charged`, less what was charged before. */
  delta: Amount;
  /** True for a decision without an outcome, charged as reserved. */
  estimated: boolean;
  overrun: NanoUsd;
}

/** What leaves a ledger; `seq` grows by one and names the item within it. */
export type OutboxItem =
  | { seq: number; kind: "usage"; event: UsageEvent }
  | { seq: number; kind: "outcome"; record: AuditRecord }
  /** For the ledger of that name in the same organization. */
  | { seq: number; kind: "debit"; orgId: string; home: string; debit: ForeignDebit }
  /** The same of what was spent there without a lease; `from` = the team. */
  | {
      seq: number;
      kind: "spent";
      orgId: string;
      home: string;
      from: string;
      spent: Spent[];
    }
  | { seq: number; kind: "alert"; record: AuditRecord };

/**
 * Where usage and outcomes go. At least once: an item comes again until its seq was answered, so a sink puts what it can
 * never take where an operator finds it, rather than refuse it for ever.
 */
export interface LedgerSink {
  /** The seqs of those items that are durable now. */
  deliver(batch: OutboxItem[]): Promise<number[]>;
}
