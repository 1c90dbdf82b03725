import type { Authorized, Chosen, Progress } from "../core/call.ts";
import type { FinishReason, Part } from "../core/chat.ts";
import type { Deployment } from "../core/model.ts";
import { learningSettings } from "../core/learning.ts";
import type { Deps } from "../core/ports.ts";
import type { SmartDecision } from "../core/routing.ts";
import { findProvider } from "../providers/catalog.ts";
import { allows, resolvableModels, resolve, type ResolveContext } from "../providers/resolve.ts";
import { lackOf } from "../routing/capability.ts";
import type { Hard, PlanFacts } from "../routing/plan.ts";
import { turnOf } from "../routing/smart/asked.ts";
import { usualLatency, usualQuality, type Option } from "../routing/smart/choose.ts";
import { routeConversation } from "../routing/smart/conversation.ts";
import { bent, dialNamed, type Dial } from "../routing/smart/dial.ts";
import { estimate, NOTHING_LEARNED } from "../routing/smart/learn.ts";
import { ENGINE } from "../routing/smart/engine.ts";
import { signsOf } from "../routing/smart/signs.ts";
import { answersChat, beliefOf, knownAbility, knownWindow } from "../routing/smart/knowledge.ts";
import { allowlists } from "./authorize.ts";
import { payerOf } from "./payer.ts";

/** A prompt is estimated low; a window has to hold this much more. */
const ROOM = 1.1;

/** What a model that was not made for it refuses, or silently leaves out: taken where it is known to be there. */
const SENSES = ["images", "files", "audio", "reasoning"] as const;

/** What a smart request has to wait for before it is chosen for: in a new isolate what was learned, else nothing. */
export function learnedFirst(deps: Deps, call: Authorized): Promise<void> | null {
  const { shared } = call.identity;
  if (dialFor(call) === null && (shared.routers ?? []).length === 0) return null;
  const learning = learningSettings(shared.org.metadata);
  return learning && deps.learning.ready(call.identity.principal.orgId, learning.version);
}

/** Times the usual latency from which a model is slow. */
const SLOW = 4;

/** The dial that a name stands for here: null where the organization has a group of that name, which then wins. */
export function dialFor(call: Authorized): Dial | null {
  const { shared } = call.identity;
  if (shared.deployments.some((each) => each.group === call.model)) return null;
  return dialNamed(call.model);
}

/**
 * The groups that serve a `smart/*` request, best value first, with all that they were chosen by. `hard` is what policy,
 * residency and the like say of a deployment in a group.
 */
export function smartRoute(
  deps: Deps,
  call: Authorized,
  dial: Dial,
  facts: PlanFacts,
  hard: (group: string) => readonly Hard[],
): { groups: string[]; smart: SmartDecision } {
  const standing = deps.account.standing?.(payerOf(call))?.state ?? "ok";
  const budget = call.verdict?.throttle === true ? "throttle" : standing;
  const turned = bent(dial, budget);
  const members = new Map<string, Deployment[]>();
  const options = candidatesOf(deps, call).flatMap(([group, deployments]): Option[] => {
    const allowed = deployments.filter((each) =>
      hard(group).every(({ says }) => says(each) === null),
    );
    const [first] = allowed;
    if (first === undefined) return [];
    members.set(group, allowed);
    const latencies = allowed.flatMap((each) => facts.standing(each).latency ?? []);
    return [
      {
        group,
        deployment: first,
        belief: beliefOf(first),
        latency: latencies.length > 0 ? Math.min(...latencies) : null,
      },
    ];
  });
  const { orgId } = call.identity.principal;
  const learning = learningSettings(call.identity.shared.org.metadata);
  const learned = learning && deps.learning.learned(orgId, learning.version);
  const beliefs = new Map(options.map(({ group, belief }) => [group, belief]));
  const known = (group: string, task: string) => {
    const belief = beliefs.get(group);
    return estimate(learned ?? NOTHING_LEARNED, {
      group,
      task,
      belief: belief === undefined ? 0.5 : usualQuality(belief),
      ...(belief?.record && { record: belief.record }),
    });
  };
  const output = call.chat.sampling.maxOutputTokens ?? 0;
  const inGroup = ({ group }: Option) => members.get(group) ?? [];
  const routed = routeConversation(call.chat, {
    options,
    dial: turned,
    able: (option, needs, tokens) =>
      inGroup(option).some(
        (each) =>
          lackOf(each, needs) === null &&
          [...needs].every((need) => knownAbility(each, need) !== false) &&
          (knownWindow(each) ?? Number.POSITIVE_INFINITY) >= tokens * ROOM &&
          (each.facts.maxOutput ?? Number.POSITIVE_INFINITY) >= output,
      ),
    sure: (option, needs) =>
      SENSES.every(
        (need) =>
          !needs.has(need) ||
          (need === "reasoning" && option.belief.thinks) ||
          inGroup(option).some((each) => knownAbility(each, need) === true),
      ),
    healthy: (option) => inGroup(option).some((each) => facts.standing(each).state !== "open"),
    ...(turned.saves === "latency" && { slow: slowAmong(options) }),
    ...(learned !== null && {
      learned: (group: string, task: string) => known(group, task).mean,
      // A pinned version decides the same each time: nothing is tried.
      ...(learning?.version === null && {
        explore: { share: learning.exploration, estimate: known },
      }),
    }),
  });
  const { said } = routed;
  // With nothing able all are named, so that the refusal tells of each what it lacks.
  const groups = routed.order.length > 0 ? routed.order : options.map(({ group }) => group);
  return {
    groups,
    smart: {
      engine: ENGINE,
      task: said.task,
      difficulty: said.difficulty,
      need: said.need,
      confidence: said.confidence,
      unfamiliar: said.unfamiliar,
      quality: turned.quality,
      saves: turned.saves,
      budget,
      chosen: routed.order[0] ?? null,
      home: routed.home,
      reach: routed.reach,
      reason: routed.reason,
      learned: learned?.version ?? null,
      explored: routed.drawn?.explored ?? false,
      propensity: routed.drawn?.propensity ?? null,
      seed: routed.drawn === null ? null : routed.seed,
      candidates: routed.scored,
    },
  };
}

/**
 * Says which options lately took far longer than is usual of their kind, by the measure of the best of the others. It
 * moves them back in the chain, as ill health would: what was measured differs between isolates and from call to call,
 * and must not choose a conversation's home.
 */
function slowAmong(options: readonly Option[]): (option: Option) => boolean {
  const share = ({ latency, belief }: Option) =>
    latency === null ? 1 : latency / usualLatency(belief);
  const least = Math.min(...options.map(share));
  return (option) => share(option) > SLOW * Math.max(1, least);
}

/** Tells the organization's learning which group answered; an attempt that never was teaches nothing. */
export function observe(deps: Deps, call: Chosen, progress: Progress): void {
  const { smart } = call.explanation;
  const { shared, principal } = call.identity;
  if (smart === undefined || learningSettings(shared.org.metadata) === null) return;
  const served = call.plan.find(({ deployment }) => deployment.id === progress.deployment?.id);
  if (served === undefined || progress.attempts.at(-1)?.error !== undefined) return;
  deps.learning.observe(principal.orgId, {
    callId: call.requestId,
    group: served.group,
    task: smart.task,
    keyId: principal.keyId ?? null,
    teamId: principal.teamId ?? null,
    turn: turnOf(call.chat, askerOf(call)),
    ...(progress.signs && { signs: progress.signs }),
  });
}

/** Whom a request is made for, where it says so. */
function askerOf({ extensions, headers }: Chosen): string | null {
  const session = headers["x-session-id"] ?? headers["x-litellm-session-id"];
  return session ?? extensions.customerId ?? null;
}

/** Keeps what the form of a whole answer says, where the organization learns; nothing of the answer itself. */
export function look(
  call: Chosen,
  progress: Progress,
  answer: { parts: readonly Part[]; finish: FinishReason | null },
): void {
  const { smart } = call.explanation;
  if (smart === undefined || learningSettings(call.identity.shared.org.metadata) === null) return;
  progress.signs = signsOf(call.chat, answer);
}

/** What a family is known to lack although no deployment says so. */
export function lacksByName(needs: PlanFacts["needs"]): Hard {
  return {
    by: "capability",
    says: (deployment) => {
      for (const need of needs) {
        if (knownAbility(deployment, need) === false) return `lacks ${need}`;
      }
      return null;
    },
  };
}

/**
 * The organization's own model groups; where it has none, the models by name that it has a credential for; where it has
 * none of those either, what needs no credential. An allowlist narrows them, unless it names none of them: who lists
 * only `smart/…` leaves the choice to the router.
 */
export function candidatesOf(deps: Deps, call: Authorized): [string, Deployment[]][] {
  const { shared } = call.identity;
  const groups = new Map<string, Deployment[]>();
  for (const each of shared.deployments) {
    if (!answersChat(each.model) || dialNamed(each.group) !== null) continue;
    groups.set(each.group, [...(groups.get(each.group) ?? []), each]);
  }
  if (groups.size === 0) addCatalog(deps, call, groups);
  let found = [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const { list } of allowlists(call)) {
    const allowed = found.filter(([group]) => allows(list, group));
    if (allowed.length > 0) found = allowed;
  }
  return found;
}

function addCatalog(deps: Deps, call: Authorized, groups: Map<string, Deployment[]>): void {
  const context: ResolveContext = {
    shared: call.identity.shared,
    hasPlatformKey: (provider) => deps.platformKey(provider) !== null,
  };
  const models = resolvableModels(context).filter(({ id }) => answersChat(id));
  const isFree = ({ provider }: { provider: string }) => findProvider(provider)?.auth === "none";
  const paid = models.filter((each) => !isFree(each));
  for (const { id } of paid.length > 0 ? paid : models.filter(isFree)) {
    const target = resolve(id, context);
    if (!target.found) continue;
    const known = target.candidates.filter((each) => beliefOf(each).from !== "nothing");
    if (known.length > 0) groups.set(id, known);
  }
}
