import type { HoldRefusal } from "../core/account.ts";
import type { Amount } from "../core/amount.ts";
import { GatewayError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import { usdText } from "../core/money.ts";
import type { Step } from "../core/routing.ts";
import { limitHeaders } from "./limit-headers.ts";

/**
 * The request as it is does not fit any more, but one to a cheaper target would. `refusal` is due where there is none;
 * `steps` = what would have served it.
 */
export class Throttled extends Error {
  readonly refusal: GatewayError;
  readonly steps: readonly Step[];

  constructor(refusal: GatewayError, steps: readonly Step[]) {
    super("A cheaper target is due.");
    this.name = "Throttled";
    this.refusal = refusal;
    this.steps = steps;
  }
}

const NAMES: Record<HoldRefusal["scope"]["kind"], string> = {
  org: "organization",
  team: "team",
  team_member: "team member",
  user: "user",
  key: "key",
  customer: "customer",
  group: "model group",
  model: "model",
};

/** Says which limit has no room for a request, how it stands, and when it will have some. */
export function refusalOf(refusal: HoldRefusal, least: Amount): GatewayError {
  const { reason } = refusal;
  if (reason === "rate") return rateRefusal(refusal);
  if (reason === "slots") {
    const most = refusal.view.limit.requests ?? 0;
    return new GatewayError(
      "rate_limit_exceeded",
      `The ${nameOf(refusal)} allows ${most} requests at the same time, and so many are running.`,
      {
        retryAfter: 1,
        members: { limit: limitOf(refusal, "parallel", most) },
        headers: headersOf(refusal),
      },
    );
  }
  return budgetRefusal(refusal, least);
}

function rateRefusal(refusal: HoldRefusal): GatewayError {
  const { limit, settled, outstanding, endsInMs } = refusal.view;
  const over = (place: "requests" | "tokens") =>
    limit[place] !== null &&
    settled[place] + outstanding[place] + refusal.needed[place] > limit[place];
  const place = over("requests") ? "requests" : "tokens";
  const most = limit[place] ?? 0;
  const used = settled[place] + outstanding[place];
  return new GatewayError(
    "rate_limit_exceeded",
    `The ${nameOf(refusal)}'s limit of ${most} ${place} per minute is reached: ${used} are used or reserved, and this request may need ${refusal.needed[place]}.`,
    {
      retryAfter: Math.max(1, (endsInMs ?? 1_000) / 1_000),
      members: { limit: limitOf(refusal, place, most) },
      headers: {
        ...headersOf(refusal),
        [`x-ratelimit-limit-${place}`]: String(most),
        [`x-ratelimit-remaining-${place}`]: String(Math.max(0, most - used)),
        [`x-ratelimit-reset-${place}`]: `${Math.ceil((endsInMs ?? 0) / 1_000)}s`,
      },
    },
  );
}

function limitOf({ scope }: HoldRefusal, unit: string, limit: number): JsonObject {
  return { scope: scope.kind, id: scope.id, unit, limit };
}

function budgetRefusal(refusal: HoldRefusal, least: Amount): GatewayError {
  const { scope, view, needed, waits } = refusal;
  const limit = view.limit.cost ?? 0;
  const reset = view.endsAt === null ? null : new Date(view.endsAt).toISOString();
  const free = Math.max(0, limit - view.settled.cost - view.outstanding.cost);
  const held = view.outstanding.cost;
  // When another budget begins anew does not help this one.
  const { "x-routero-budget-reset-at": _, ...others } = headersOf(refusal);
  return new GatewayError(
    waits ? "budget_reserved" : "budget_exceeded",
    `The ${nameOf(refusal)}'s budget of ${usdText(limit)} USD has ${usdText(free)} left (${usdText(view.settled.cost)} spent, ${usdText(held)} reserved by running requests), and this request may come to ${usdText(needed.cost)}` +
      (least.cost < needed.cost ? `, or at least ${usdText(least.cost)} with a short answer` : "") +
      (reset === null ? "." : `; it begins anew at ${reset}.`),
    {
      ...(waits && { retryAfter: 1 }),
      members: {
        budget: {
          scope: scope.kind,
          id: scope.id,
          limit_usd: usdText(limit),
          spent_usd: usdText(view.settled.cost),
          reserved_usd: usdText(held),
          needed_usd: usdText(needed.cost),
          reset_at: reset,
        },
      },
      headers: {
        ...others,
        "x-routero-budget-state": "block",
        ...(reset !== null && { "x-routero-budget-reset-at": reset }),
      },
    },
  );
}

/** What every answer under limits tells. */
function headersOf({ views = [] }: HoldRefusal): Record<string, string> {
  return limitHeaders(views);
}

function nameOf({ scope }: HoldRefusal): string {
  return NAMES[scope.kind];
}
