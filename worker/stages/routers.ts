import type { Authorized } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import type { Deps } from "../core/ports.ts";
import type { Explanation, RoutingSettings } from "../core/routing.ts";
import { affinityOf } from "../routing/affinity.ts";
import { needsOf } from "../routing/capability.ts";
import type { PlanFacts } from "../routing/plan.ts";
import { aliased, meantBy, settingsFor } from "../routing/settings.ts";
import { estimateTokens } from "../routing/tokens.ts";
import { usualCost } from "../routing/usual-cost.ts";
import { admit } from "./authorize.ts";
import { hardIn, type Instead } from "./links.ts";
import { namedRoute } from "./named-router.ts";
import { dialFor, lacksByName, smartRoute } from "./smart.ts";

/**
 * The request under the name that is routed: the policy's route takes the place of what was asked for, a cheaper group
 * that of both, and an alias stands for its group.
 */
export function routedAs(
  asked: Authorized,
  cheaper?: string,
): { call: Authorized; settings: RoutingSettings } {
  const { shared, key } = asked.identity;
  const named = asked.verdict?.route ?? asked.model;
  const model = cheaper ?? meantBy(shared.routing, named);
  const said = settingsFor({
    org: shared.routing,
    group: model,
    key: key?.routing,
    verdict: asked.verdict,
    hints: asked.extensions,
  });
  const settings = cheaper === undefined ? aliased(said, named, model) : said;
  const deadline = Math.min(asked.deadline, asked.receivedAt + settings.timeouts.total);
  return { call: { ...asked, model, deadline }, settings };
}

/** What a choice among deployments is made from; draws its seed. */
export function factsOf(deps: Deps, call: Authorized, settings: RoutingSettings): PlanFacts {
  const { orgId } = call.identity.principal;
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const prompt = estimateTokens(call.chat);
  const session = call.headers["x-session-id"] ?? call.headers["x-litellm-session-id"];
  const output = call.chat.sampling.maxOutputTokens;
  return {
    needs: needsOf(call.chat),
    tokens: prompt + (output ?? 0),
    now: deps.now(),
    draw: {
      seed,
      affinity: settings.affinity ? affinityOf(orgId, call.chat, session, prompt) : null,
    },
    standing: (deployment) => deps.health.standing(orgId, deployment),
    estimate: usualCost(call.chat, prompt),
  };
}

/** What the routers make of a request: the groups that stand for its model, if it names a router, and why those. */
export interface Led {
  instead: Instead | undefined;
  why: Pick<Explanation, "smart" | "auto">;
}

/** Asks the named router and then the smart router, where the model's name is one's. Calls nothing. */
export function askRouters(deps: Deps, call: Authorized, facts: PlanFacts): Led {
  const auto = namedRoute(deps, call);
  const dial = dialFor(auto === null ? call : { ...call, model: auto.models[0] });
  const smart =
    dial === null ? null : smartRoute(deps, call, dial, facts, (group) => hardIn(call, group));
  const groups = smart?.groups ?? auto?.models;
  return {
    instead: groups && { groups, hard: smart === null ? [] : [lacksByName(facts.needs)] },
    why: { ...(smart && { smart: smart.smart }), ...(auto && { auto: auto.decision }) },
  };
}

/** What the routers would make of a request, and what it would be refused with before a model is chosen. */
export type Preview = Led["why"] & { refused?: { code: string; message: string } };

/**
 * The routers' decision on a request that is not made: nothing is called, held, drawn from a budget or learned. A
 * refusal is part of the answer, beside what the routers say all the same.
 */
export function previewRouters(deps: Deps, asked: Authorized): Preview {
  let call = asked;
  let refused: GatewayError | null = null;
  try {
    call = { ...asked, model: admit(deps, asked) };
  } catch (cause) {
    refused = refusalOf(cause);
  }
  let why: Led["why"] = {};
  if (asked.verdict?.block == null) {
    try {
      const routed = routedAs(call);
      ({ why } = askRouters(deps, routed.call, factsOf(deps, routed.call, routed.settings)));
    } catch (cause) {
      refused ??= refusalOf(cause);
    }
  }
  return { ...why, ...(refused && { refused: { code: refused.kind, message: refused.message } }) };
}

/** What is thrown for the caller to read; anything else is a fault of ours and goes on. */
function refusalOf(cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause;
  throw cause;
}
