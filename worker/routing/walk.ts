import type { FaultClass, UpstreamFault } from "../core/fault.ts";
import type { Deployment } from "../core/model.ts";
import type { RoutingSettings, Step, StepWhen } from "../core/routing.ts";
import { random } from "./random.ts";

/** One attempt that failed: its place in the plan and why. */
export interface Tried {
  step: number;
  fault: UpstreamFault;
}

/** All that the next move depends on. */
export interface Walk {
  plan: readonly Step[];
  settings: Pick<RoutingSettings, "numRetries" | "retries" | "backoff" | "maxWait">;
  /** The failed attempts of this request, oldest first; never empty. */
  tried: readonly Tried[];
  /** Milliseconds that the request has left. */
  remaining: number;
  /** The plan's draw; jitter comes from it, so that a walk can be replayed. */
  seed: number;
  /** Places that a budget or the retry budget refused. */
  passed: ReadonlySet<number>;
  /** False for a deployment that is out of rotation now. */
  usable: (deployment: Deployment) => boolean;
}

/** What to do after a failure. `wait` is in milliseconds, before the attempt. */
export type Move =
  | { do: "retry" | "next"; step: number; wait: number }
  | { do: "stop"; why: string };

const PASSING: ReadonlySet<FaultClass> = new Set([
  "transient",
  "timeout",
  "connection",
  "rate_limit",
]);
const LONGEST_BACKOFF = 5_000;
/** Longer than this a provider is not waited for where another group could serve. */
const PATIENCE_BEFORE_FALLBACK = 1_000;

/**
 * The next move (PROTOCOLS 6 to 9): inside the group first (a deployment that was not tried yet, at
 * once; else the same again after a wait), then along the chain. Pure; the one rule for buffered and streamed answers.
 */
export function nextMove(walk: Walk): Move {
  const last = walk.tried.at(-1);
  const failed = last && walk.plan[last.step];
  if (last === undefined || failed === undefined) return { do: "stop", why: "nothing was tried" };
  const { fault } = last;
  if (fault.class === "caller") return { do: "stop", why: "the caller's request is at fault" };
  if (walk.remaining <= 0) return { do: "stop", why: "the deadline is reached" };

  if (mayRetry(walk, failed.group, fault.class)) {
    const other = firstOpen(
      walk,
      (step) => step.group === failed.group && step.when === failed.when,
    );
    if (other !== null) return { do: "next", step: other, wait: 0 };
  }
  const onward = onwardFrom(walk, failed);
  // What was not even sent says nothing about those that failed before it.
  if (mayPass(fault.class) || fault.class === "unsupported") {
    const patience = onward === null ? walk.settings.maxWait : PATIENCE_BEFORE_FALLBACK;
    const again = sameAgain(walk, failed.group, patience);
    if (again !== null) return again;
  }
  if (onward !== null) return { do: "next", step: onward, wait: 0 };
  const why =
    walk.passed.size > 0 ? "budgets refuse what is left to try" : "nothing is left to try";
  return backAgain(walk) ?? { do: "stop", why };
}

/** True for faults after which the same deployment may do better a moment later. */
export function mayPass(fault: FaultClass): boolean {
  return PASSING.has(fault);
}

/** Backoff before the n-th repetition (from 1): growing from the base, with up to half of it on top as jitter. */
export function backoff(base: number, n: number, seed: number): number {
  const jitter = 1 + random(seed + n)() / 2;
  return Math.round(Math.min(LONGEST_BACKOFF, base * 2 ** (n - 1)) * jitter);
}

/** True while a group has a further attempt after a fault of this class. */
function mayRetry(walk: Walk, group: string, fault: FaultClass): boolean {
  const { retries, numRetries } = walk.settings;
  return attemptsInGroup(walk, group) <= (retries[fault] ?? numRetries);
}

/** Attempts that were sent to deployments of a group. */
function attemptsInGroup({ plan, tried }: Walk, group: string): number {
  return tried.filter(
    ({ step, fault }) => plan[step]?.group === group && fault.class !== "unsupported",
  ).length;
}

/** The first place that was not tried and may be, after the faults so far. */
function firstOpen(walk: Walk, wanted: (step: Step) => boolean): number | null {
  const { plan, tried, passed } = walk;
  const index = plan.findIndex(
    (step, place) =>
      wanted(step) &&
      !passed.has(place) &&
      !tried.some((each) => each.step === place) &&
      walk.usable(step.deployment) &&
      agrees(walk, step.deployment),
  );
  return index < 0 ? null : index;
}

/** Whether no fault so far tells that this deployment would fail as well. */
function agrees({ plan, tried }: Walk, next: Deployment): boolean {
  return tried.every(({ step, fault }) => mayFollow(next, plan[step]?.deployment, fault));
}

/** Whether a deployment may do better than one that failed so. */
function mayFollow(
  next: Deployment,
  failed: Deployment | undefined,
  fault: UpstreamFault,
): boolean {
  if (failed === undefined) return true;
  switch (fault.class) {
    case "deployment":
      return !sharesFault(fault) || credentialOf(next) !== credentialOf(failed);
    case "content_filter":
      return next.model !== failed.model;
    case "context_window": {
      const [window, before] = [next.facts.contextWindow, failed.facts.contextWindow];
      if (window === undefined || before === undefined) return next.model !== failed.model;
      return window > before;
    }
    case "unsupported":
      return (
        next.provider !== failed.provider ||
        next.protocol !== failed.protocol ||
        next.model !== failed.model
      );
    default:
      return true;
  }
}

/**
 * True where a deployment's fault is its credential's (PROTOCOLS 6): 401, 402, a spent quota, and a 403 that does not
 * name a model. A 404, and a 403 that names a model, are the deployment's alone.
 */
export function sharesFault(fault: UpstreamFault): boolean {
  if (fault.class !== "deployment" || fault.status === 404) return false;
  if (fault.status >= 300 && fault.status < 400) return false;
  return fault.status !== 403 || !/\bmodel\b/i.test(`${fault.message} ${fault.code ?? ""}`);
}

/** One text per credential and base: what one refused key takes out of rotation together. */
export function credentialOf(deployment: Deployment): string {
  return `${deployment.credentialId ?? deployment.provider}@${deployment.baseUrl}`;
}

/** Nothing new is left: whoever failed in a way that passes may be asked once more, the latest group first. */
function backAgain(walk: Walk): Move | null {
  const { plan, tried, settings } = walk;
  const groups = new Set(tried.toReversed().map(({ step }) => plan[step]?.group ?? ""));
  for (const group of groups) {
    const again = sameAgain(walk, group, settings.maxWait);
    if (again !== null) return again;
  }
  return null;
}

/** The same group again, after a wait that fits: whoever failed in a way that passes, the latest first. */
function sameAgain(walk: Walk, group: string, patience: number): Move | null {
  const { plan, tried, settings, passed } = walk;
  const here = attemptsInGroup(walk, group);
  const seen = new Set<number>();
  for (const { step, fault } of tried.toReversed()) {
    const place = plan[step];
    if (place === undefined || place.group !== group || seen.has(step) || passed.has(step))
      continue;
    seen.add(step);
    if (!mayPass(fault.class) || !mayRetry(walk, group, fault.class)) continue;
    if (!agrees(walk, place.deployment)) continue;
    const asked = fault.retryAfter ?? 0;
    const wait = Math.max(asked, backoff(settings.backoff, here, walk.seed));
    if (asked > patience || wait >= walk.remaining) continue;
    // A limited deployment is out exactly until the wait is over.
    if (fault.class !== "rate_limit" && !walk.usable(place.deployment)) continue;
    return { do: "retry", step, wait };
  }
  return null;
}

/** The next group of the chain that this fault leads to: its own fallbacks first where it has some. */
function onwardFrom(walk: Walk, failed: Step): number | null {
  const last = walk.tried.at(-1)?.fault.class;
  const special: StepWhen | null =
    last === "context_window" || last === "content_filter" ? last : null;
  const spent = new Set(walk.tried.map(({ step }) => walk.plan[step]?.group));
  const fresh = (step: Step) => step.group !== failed.group && !spent.has(step.group);
  if (special !== null) {
    const own = firstOpen(walk, (step) => fresh(step) && step.when === special);
    if (own !== null) return own;
  }
  return firstOpen(
    walk,
    (step) => fresh(step) && (step.when === "any" || step.when === failed.when),
  );
}
