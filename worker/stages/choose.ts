import type { Authenticated, Authorized, Chosen, Credentialed } from "../core/call.ts";
import type { ChatRequest } from "../core/chat.ts";
import type { GatewayError } from "../core/errors.ts";
import type { Deps } from "../core/ports.ts";
import type { Explanation, Step } from "../core/routing.ts";
import { allows, resolvableModels } from "../providers/resolve.ts";
import { makePlan, type MadePlan } from "../routing/plan.ts";
import { allowlists } from "./authorize.ts";
import { cheaperThan, type Swap } from "./cheaper.ts";
import { hold } from "./hold.ts";
import { linksOf } from "./links.ts";
import { SMART_NAMES } from "../routing/smart/dial.ts";
import { learnedFirst } from "./smart.ts";
import { emptied } from "./emptied.ts";
import { askRouters, factsOf, routedAs } from "./routers.ts";
import { Throttled } from "./over-limit.ts";

/**
 * Candidates, hard filters, capability and context, health, strategy: an ordered plan with the reason for each that was
 * dropped, and its money held. Refusals name what removed each candidate. Where a budget is used up and throttles rather
 * than blocks, the plan is one of cheaper groups; its refusal stands where those can't serve either.
 */
export async function choose(deps: Deps, asked: Authorized): Promise<Chosen> {
  try {
    return await chosenFor(deps, asked, null);
  } catch (cause) {
    if (!(cause instanceof Throttled)) throw cause;
    const swap = cheaperThan(deps, asked, cause.steps);
    if (swap === null) throw cause.refusal;
    return chosenFor(deps, asked, { ...swap, refusal: cause.refusal });
  }
}

/** `swap` = what takes the place of all that was asked for, and the refusal where it can't. */
async function chosenFor(
  deps: Deps,
  asked: Authorized,
  swap: (Swap & { refusal: GatewayError }) | null,
): Promise<Chosen> {
  const { orgId } = asked.identity.principal;
  const { call, settings } = routedAs(asked, swap?.groups[0]);
  const facts = factsOf(deps, call, settings);
  const learned = learnedFirst(deps, call);
  if (learned !== null) await learned;
  const { instead, why } =
    swap === null
      ? askRouters(deps, call, facts)
      : { instead: { groups: swap.groups, hard: [] }, why: {} };
  const { links, skipped } = linksOf(deps, call, settings, instead);
  const bound = links.map((link) => ({ ...link, hard: [...link.hard, ...(swap?.hard ?? [])] }));
  const made = makePlan(bound, facts);
  const explanation: Explanation = {
    strategy: settings.strategy,
    candidates: made.candidates,
    skipped,
    ...facts.draw,
    ...why,
  };
  const plan = await startable(deps, orgId, made, explanation);
  if (plan === null) throw swap?.refusal ?? emptied(call, made, facts, explanation);

  const held = await hold(
    deps,
    call,
    plan.filter(({ when }) => when === "any"),
    swap !== null,
  );
  const tooDear = new Map(held.dropped.map((each) => [each.deployment, each.reason]));
  const affordable = plan.filter(({ deployment }) => !tooDear.has(deployment.id));
  for (const candidate of made.candidates) {
    const reason = tooDear.get(candidate.deployment);
    if (reason !== undefined && candidate.by === null)
      Object.assign(candidate, { by: "budget", reason });
    const place = affordable.findIndex(({ deployment }) => deployment.id === candidate.deployment);
    candidate.place = candidate.by === null && place >= 0 ? place : null;
  }
  const { outputLimit, views } = held;
  return {
    ...call,
    ...(outputLimit !== undefined && { outputLimit, chat: shortened(call.chat, outputLimit) }),
    ...(swap !== null && { cheap: true }),
    views,
    plan: affordable,
    settings,
    explanation,
    holdId: held.holdId,
    leases: held.leases,
  };
}

/** The request with answers of at most so many tokens. */
function shortened(chat: ChatRequest, maxOutputTokens: number): ChatRequest {
  return { ...chat, sampling: { ...chat.sampling, maxOutputTokens } };
}

/**
 * The plan if it can begin. Where only chains for a class of faults are left they serve what that class would have
 * refused; where only resting deployments are, those that merely announced that they would refuse, else one that is due for its probe (asked for only then: it costs a call).
 */
async function startable(
  deps: Deps,
  orgId: string,
  made: MadePlan,
  explanation: Explanation,
): Promise<Step[] | null> {
  const { steps, candidates, resting } = made;
  if (steps.some(({ when }) => when === "any")) {
    return [
      ...steps.filter(({ when }) => when === "any"),
      ...steps.filter(({ when }) => when !== "any"),
    ];
  }
  if (candidates.some(({ by }) => by === "context_window")) {
    const larger = steps.filter(({ when }) => when === "context_window");
    if (larger.length > 0) return larger.map((step) => ({ ...step, when: "any" }));
  }
  const foreseen = resting.filter((each) => each.foreseen && each.step.when === "any");
  if (foreseen.length > 0) return [...foreseen.map(({ step }) => step), ...steps];
  const due = resting
    .filter(({ step }) => step.when === "any")
    .toSorted((a, b) => a.until - b.until);
  for (const { step } of due.slice(0, 3)) {
    if (await deps.health.probe(orgId, step.deployment)) {
      explanation.probed = step.deployment.id;
      return [step, ...steps];
    }
  }
  return null;
}

/** What GET /v1/models shows: every name that resolves and that all allowlists cover, the router's own names last. */
export function callableModels(
  deps: Deps,
  call: Authenticated<Credentialed>,
): { id: string; provider: string }[] {
  const lists = allowlists(call);
  const groups = resolvableModels({
    shared: call.identity.shared,
    hasPlatformKey: (provider) => deps.platformKey(provider) !== null,
  });
  const routers = (call.identity.shared.routers ?? []).map(({ group }) => group);
  const own = [...routers, ...SMART_NAMES.filter((id) => !routers.includes(id))];
  const added = own.filter((id) => groups.every((each) => each.id !== id));
  return [...groups, ...added.map((id) => ({ id, provider: "routero" }))].filter(({ id }) =>
    lists.every(({ list }) => allows(list, id)),
  );
}
