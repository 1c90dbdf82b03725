import { chargeOf } from "../core/account.ts";
import type { HoldAnswer, HoldRefusal, HoldRequest, LeaseRef, ScopeView } from "../core/account.ts";
import { plus } from "../core/amount.ts";
import type { Amount } from "../core/amount.ts";
import type { Authorized, Chosen, Dropped, Progress } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import type { Deployment } from "../core/model.ts";
import type { Deps } from "../core/ports.ts";
import type { Step } from "../core/routing.ts";
import { scopeKey } from "../core/scope.ts";
import type { Overbilling } from "../routing/worst-case.ts";
import { outputWithin, USEFUL_OUTPUT, worstCase } from "../routing/worst-case.ts";
import { limitedScopes } from "./limited.ts";
import { refusalOf, Throttled } from "./over-limit.ts";
import { payerOf } from "./payer.ts";
import { recordRaise } from "./trail.ts";

/** What a request set aside before its provider is called. */
export interface Held {
  holdId: string;
  leases: LeaseRef[];
  /** Deployments of the plan that a budget can't afford: they have to leave it. */
  dropped: Dropped[];
  /** Tokens that each answer may have at most, where a budget or limit affords no more. */
  outputLimit?: number;
  /** How the scopes of the request stood. */
  views: ScopeView[];
}

/**
 * Sets aside the worst case of the plan's dearest attempt, in every scope that pays and is limited, and in the team; of
 * the model groups, in the first. A deployment that a limit has no room for is passed over where the plan goes on with a
 * cheaper one, or with one that the limit does not bind. Where the whole does not fit but a useful answer does, the answer is
 * limited to what fits. Throws a refusal where a budget or a limit has no room: 429, or 503 where the account can't be
 * reached; and `Throttled` where a cheaper target would still be served (`cheap` says that this is one).
 */
export async function hold(
  deps: Deps,
  call: Authorized,
  steps: readonly Step[],
  cheap = false,
): Promise<Held> {
  const beyond = overbillingIn(deps, call);
  const passed: Dropped[] = [];
  let first: GatewayError | undefined;
  let open = steps;
  for (;;) {
    const group = open[0]?.group ?? call.model;
    const plan = open.map(({ deployment }) => deployment);
    const max = worstCase(call, plan, Infinity, beyond.of);
    const min = worstCase(call, plan, USEFUL_OUTPUT, beyond.of);
    const answer = await holdUpTo(deps, call, group, { max, min, cheap, ...beyond.found });
    if (answer.granted) return heldFor(deps, call, { plan, passed, max }, answer);
    const least = leastOf(call, plan, beyond.of);
    const refusal = refusalOf(answer, least);
    if (answer.reason === "throttle") throw new Throttled(refusal, open);
    first ??= refusal;
    const left = withRoom(call, open, answer, beyond.of);
    if (left.length === 0) throw first;
    for (const { deployment } of open) {
      if (left.every((step) => step.deployment !== deployment)) {
        passed.push({ deployment: deployment.id, reason: `no room: ${answer.scope.kind} limit` });
      }
    }
    open = left;
  }
}

/** What a short answer of the plan's cheapest deployment may come to. */
function leastOf(call: Authorized, plan: readonly Deployment[], beyond: Overbilling): Amount {
  const priced = plan.filter(({ facts }) => facts.prices);
  return (priced.length > 0 ? priced : plan)
    .map((each) => worstCase(call, [each], USEFUL_OUTPUT, beyond))
    .reduce((least, each) => (each.cost < least.cost ? each : least));
}

/**
 * What of a refused plan goes on: what another limit bears, and what is cheap enough for the room that is left of this one
 * (CONTRACT 4.4); with a short answer, or, where that is not given, with a whole one. Always less than the plan.
 */
function withRoom(
  call: Authorized,
  open: readonly Step[],
  answer: HoldRefusal,
  beyond: Overbilling,
): readonly Step[] {
  const { limit, settled, outstanding } = answer.view;
  const room = (place: keyof Amount) =>
    limit[place] === null ? Infinity : limit[place] - settled[place] - outstanding[place];
  const fits = ({ deployment }: Step, output: number) => {
    if (limit.cost !== null && deployment.facts.prices === undefined) return false;
    const { cost, requests, tokens } = worstCase(call, [deployment], output, beyond);
    return cost <= room("cost") && requests <= room("requests") && tokens <= room("tokens");
  };
  const elsewhere = open.filter(({ group }) => !isBoundBy(call, group, answer));
  for (const output of [USEFUL_OUTPUT, Infinity]) {
    const left = open.filter((step) => elsewhere.includes(step) || fits(step, output));
    if (left.length < open.length) return left;
  }
  return elsewhere;
}

/** True where an attempt in a group would meet the same limit. */
function isBoundBy(call: Authorized, group: string, { scope }: HoldRefusal): boolean {
  const key = scopeKey(scope);
  return limitedScopes(call, payerOf(call), group).some((each) => scopeKey(each) === key);
}

async function heldFor(
  deps: Deps,
  call: Authorized,
  { plan, passed, max }: { plan: readonly Deployment[]; passed: Dropped[]; max: Amount },
  answer: HoldAnswer & { granted: true },
): Promise<Held> {
  const { holdId, leases, amount } = answer;
  const views = answer.views.filter((view) => view !== null);
  const dropped = [...passed, ...(await withoutPrice(deps, plan, holdId, views))];
  const capped = amount.cost < max.cost || amount.tokens < max.tokens;
  return {
    holdId,
    leases,
    dropped,
    views,
    ...(capped && { outputLimit: outputWithin(call, plan, amount, overbillingIn(deps, call).of) }),
  };
}

/**
 * Makes room for one more attempt: what the earlier ones came to stays held beside its worst case (PLATFORM 26), and what
 * limits its own group is held as well. To be awaited before each attempt but the first; it costs no call where they came to nothing. False = no room is
 * left for this deployment: pass it over. `beside` = deployments that are being tried meanwhile. What it adds to the hold goes on
 * record. Never rejects.
 */
export async function raise(
  deps: Deps,
  call: Chosen,
  progress: Pick<Progress, "attempts" | "leases" | "recordings">,
  step: Pick<Step, "deployment" | "group">,
  beside: readonly Deployment[] = [],
): Promise<boolean> {
  const { deployment, group } = step;
  const beyond = overbillingIn(deps, call);
  let max: Amount = { ...chargeOf(progress), requests: 0 };
  for (const each of beside) {
    max = plus(max, { ...worstCase(call, [each], call.outputLimit, beyond.of), requests: 0 });
  }
  max = plus(max, worstCase(call, [deployment], call.outputLimit, beyond.of));
  try {
    const asked = { max, min: max, cheap: call.cheap === true, ...beyond.found };
    const answer = await holdUpTo(deps, call, group, asked);
    if (!answer.granted) return false;
    if (deployment.facts.prices === undefined && answer.views.some(isBudget)) return false;
    const { leases } = answer;
    if (heldBy(leases) > heldBy(progress.leases ?? call.leases)) {
      progress.leases = leases;
      progress.recordings.push(recordRaise(deps, call, step, progress.attempts.length, leases));
    }
    return true;
  } catch {
    // What can't be held is not tried: the caller is told of the attempt that failed.
    return false;
  }
}

/** Holds only grow: two are the same where their sums are. */
function heldBy(leases: readonly LeaseRef[]): number {
  return leases.reduce(
    (sum, { reserved: { cost, requests, tokens } }) => sum + cost + requests + tokens,
    leases.length,
  );
}

/** A provider that billed beyond its bound is expected to do so again. */
function overbillingIn({ account }: Deps, { identity }: Authorized): Beyond {
  const { shared, principal } = identity;
  const found: { overbilling?: Record<string, number> } = {};
  const of = (deployment: string) => {
    const known = shared.overbilling?.[deployment] ?? 1;
    const factor = account.overbilling?.(principal.orgId, deployment, known) ?? known;
    if (factor > 1) found.overbilling = { ...found.overbilling, [deployment]: factor };
    return factor;
  };
  return { of, found };
}

interface Beyond {
  of: Overbilling;
  /** Those that were asked for and are raised. */
  found: Pick<HoldRequest, "overbilling">;
}

function holdUpTo(
  deps: Deps,
  call: Authorized,
  group: string,
  asked: Pick<HoldRequest, "max" | "min" | "cheap" | "overbilling">,
): Promise<HoldAnswer> {
  const payer = payerOf(call);
  const { orgId, teamId } = payer;
  return deps.account.hold({
    orgId,
    teamId,
    requestId: call.requestId,
    scopes: limitedScopes(call, payer, group),
    longestMs: Math.max(0, call.deadline - call.receivedAt),
    ...asked,
  });
}

function isBudget(view: ScopeView | null): boolean {
  return view !== null && view.limit.cost !== null;
}

/** Under a budget in US dollars only what has a price may serve (PROTOCOLS 12). */
async function withoutPrice(
  deps: Deps,
  plan: readonly Deployment[],
  holdId: string,
  views: readonly ScopeView[],
): Promise<Dropped[]> {
  if (!views.some(isBudget)) return [];
  const unpriced = plan.filter(({ facts }) => facts.prices === undefined);
  if (unpriced.length < plan.length) {
    return unpriced.map(({ id }) => ({ deployment: id, reason: "price unknown under a budget" }));
  }
  await deps.account.release(holdId);
  throw new GatewayError(
    "price_unknown",
    `The price of '${plan[0]?.model ?? ""}' is not known, and a budget in US dollars applies: an administrator can set input_cost_per_token and output_cost_per_token on the model.`,
    { param: "model" },
  );
}
