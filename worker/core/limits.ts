import type { Scope } from "./scope.ts";
import type { NanoUsd } from "./money.ts";

/** What happens as a budget is used up. */
export interface Tiers {
  /** Share of the budget from which on alerts are sent; null = none. */
  warnAt: number | null;
  /** At `maxBudget` requests go to a cheaper target until `hardCap`. */
  throttle: boolean;
  /** At the cap requests are refused. */
  block: boolean;
  /** Where the whole worst case does not fit, the answer's length is cut to what does. */
  capOutput: boolean;
}

/** What happens unless somebody says otherwise: told at 80 %, refused at the end, answers cut to what fits. */
export const DEFAULT_TIERS: Readonly<Tiers> = Object.freeze({
  warnAt: 0.8,
  throttle: false,
  block: true,
  capOutput: true,
});

/** Everything that is limited of one scope, as its ledger enforces it; absent = unlimited. */
export interface Limits {
  maxBudget?: NanoUsd;
  softBudget?: NanoUsd;
  hardCap?: NanoUsd;
  /** Length of the budget's window (`30d`, `1mo`); absent = it never begins anew. */
  duration?: string;
  timeZone: string;
  /** Unix milliseconds from which windows of odd lengths are counted. */
  since: number;
  tiers: Tiers;
  /** Comes on top of `maxBudget` and of the cap until then, Unix milliseconds. */
  increase?: { amount: NanoUsd; until: number };
  /** Requests and tokens per clock minute. */
  rpm?: number;
  tpm?: number;
  /** Requests at the same time. */
  parallel?: number;
}

/** The limits of one scope since a revision of its organization; null = it has none any more. */
export interface Definition {
  scope: Scope;
  revision: number;
  limits: Limits | null;
  /** The scope lives in another ledger from now on: what it spent, and what it will have spent here, goes there. */
  moved?: { orgId: string; from: string; to: string };
}

/** What of a scope is limited: which of its meters a request has to be held in, and which models have their own. */
export interface LimitFlags {
  budget?: true;
  rate?: true;
  slots?: true;
  /** Models that have limits of their own within this scope. */
  models?: ({ model: string } & Omit<LimitFlags, "models">)[];
}

/** Which meters these limits need. */
export function flagsOf(limits: Limits | null): LimitFlags {
  if (limits === null) return {};
  return {
    // A warning alone refuses nothing, but its scope is charged where it stands.
    ...((limits.maxBudget ?? limits.softBudget ?? limits.hardCap) !== undefined && {
      budget: true as const,
    }),
    ...((limits.rpm ?? limits.tpm) !== undefined && { rate: true as const }),
    ...(limits.parallel !== undefined && { slots: true as const }),
  };
}

/** Default of `hard_cap` where throttling is on. */
const HARD_CAP = 1.2;

/** The amount of US dollars at which requests are refused; null = never. */
export function blocksAt(limits: Limits, now: number): NanoUsd | null {
  const { maxBudget, hardCap, tiers } = limits;
  if (!tiers.block) return null;
  const most =
    maxBudget !== undefined && tiers.throttle ? Math.round(maxBudget * HARD_CAP) : maxBudget;
  // What somebody calls a hard cap is one, also without a budget below it.
  const cap = hardCap !== undefined && (tiers.throttle || maxBudget === undefined) ? hardCap : most;
  return cap === undefined ? null : cap + increaseOf(limits, now);
}

/** The amount from which on a request is swapped to a cheaper target; null = never. */
export function throttlesAt(limits: Limits, now: number): NanoUsd | null {
  if (limits.maxBudget === undefined || !limits.tiers.throttle) return null;
  return limits.maxBudget + increaseOf(limits, now);
}

/** The budget as it stands, a temporary increase included; null = none. */
export function budgetAt(limits: Limits, now: number): NanoUsd | null {
  return limits.maxBudget === undefined ? null : limits.maxBudget + increaseOf(limits, now);
}

/** `refused`: the first request for which a budget has too little left, however much that is. */
export type ThresholdName = "warn" | "soft" | "budget" | "cap" | "refused";

/** The amounts at which something changes, the lowest first. */
export function thresholdsOf(
  limits: Limits,
  now: number,
): { name: ThresholdName; amount: NanoUsd }[] {
  const { maxBudget, softBudget, tiers } = limits;
  const out: { name: ThresholdName; amount: NanoUsd }[] = [];
  if (softBudget !== undefined) out.push({ name: "soft", amount: softBudget });
  if (maxBudget !== undefined) {
    const most = maxBudget + increaseOf(limits, now);
    if (tiers.warnAt !== null) out.push({ name: "warn", amount: Math.ceil(most * tiers.warnAt) });
    out.push({ name: "budget", amount: most });
  }
  const cap = blocksAt(limits, now);
  if (cap !== null && cap !== budgetAt(limits, now)) out.push({ name: "cap", amount: cap });
  return out.toSorted((a, b) => a.amount - b.amount);
}

function increaseOf({ increase }: Limits, now: number): NanoUsd {
  return increase !== undefined && now < increase.until ? increase.amount : 0;
}
