import type { Authorized, Chosen, Progress } from "../core/call.ts";
import { beginningOf } from "../core/body.ts";
import { GatewayError } from "../core/errors.ts";
import { isJsonObject } from "../core/json.ts";
import type { Deps } from "../core/ports.ts";
import type { Explanation } from "../core/routing.ts";
import { badAnswer } from "../protocols/answers.ts";
import { parsed } from "../protocols/fields.ts";
import { shortName } from "../providers/resolve.ts";
import { makePlan, type PlanFacts } from "../routing/plan.ts";
import { meantBy, settingsFor } from "../routing/settings.ts";
import { SMART_NAMES } from "../routing/smart/dial.ts";
import { AttemptFault, asFault, record, refusalOf } from "./attempt.ts";
import { deadline } from "./deadline.ts";
import { emptied, groupsThat } from "./emptied.ts";
import { finalError } from "./final-error.ts";
import { linksOf } from "./links.ts";
import { countsFor, prepareCount } from "./prepare.ts";

/** A provider counts within this time, or another one does. */
const PATIENCE = { ms: 30_000, usual: 30_000 };
const MOST_ATTEMPTS = 3;

/** The count of a request's tokens as a provider gave it, and the request as it was routed there. */
export interface Counted {
  call: Chosen;
  body: string;
}

/**
 * Has a request's tokens counted by a provider of the caller's own protocol, which costs nothing: chosen as a call would
 * be, nothing held and nothing charged. Throws `unsupported_endpoint` where no deployment of the model can, naming models
 * whose deployments do.
 */
export async function count(deps: Deps, asked: Authorized, progress: Progress): Promise<Counted> {
  const { shared, key, principal } = asked.identity;
  const { orgId } = principal;
  const named = asked.verdict?.route ?? asked.model;
  const model = meantBy(shared.routing, named);
  if (SMART_NAMES.includes(model) || shared.routers?.some(({ group }) => group === model)) {
    throw uncounted(asked, `'${shortName(model)}' chooses a model for each request`);
  }
  const { verdict, extensions: hints } = asked;
  const settings = settingsFor({
    org: shared.routing,
    group: model,
    key: key?.routing,
    verdict,
    hints,
  });
  const call = { ...asked, model };
  const facts: PlanFacts = {
    needs: new Set(),
    tokens: 0,
    now: deps.now(),
    draw: { seed: crypto.getRandomValues(new Uint32Array(1))[0] ?? 0, affinity: null },
    standing: (deployment) => deps.health.standing(orgId, deployment),
    estimate: () => null,
  };
  const { links, skipped } = linksOf(deps, call, settings);
  const made = makePlan(links, facts);
  const explanation: Explanation = {
    strategy: settings.strategy,
    candidates: made.candidates,
    skipped,
    seed: facts.draw.seed,
    affinity: null,
  };
  const usable = made.steps.filter(({ when }) => when === "any");
  if (usable.length === 0) throw emptied(call, made, facts, explanation);
  const plan = usable.filter(({ deployment }) => countsFor(call.dialect, deployment));
  if (plan.length === 0) {
    throw uncounted(asked, `No deployment of '${shortName(model)}' speaks this protocol`);
  }
  const chosen: Chosen = { ...call, plan, settings, explanation, leases: [] };
  return { call: chosen, body: await ask(deps, chosen, progress) };
}

function uncounted(call: Authorized, why: string): GatewayError {
  const able = groupsThat(call, (deployment) => countsFor(call.dialect, deployment));
  const hint = able.length === 0 ? "" : ` ${able.join(", ")} can be counted for.`;
  return new GatewayError(
    "unsupported_endpoint",
    `${why}, so its tokens can't be counted before a call: the usage of an answer is exact.${hint}`,
    { param: "model" },
  );
}

/** The first count that a deployment of the plan gives. Throws the last refusal. */
async function ask(deps: Deps, call: Chosen, progress: Progress): Promise<string> {
  const { orgId } = call.identity.principal;
  let last: AttemptFault | null = null;
  for (const { deployment, group } of call.plan.slice(0, MOST_ATTEMPTS)) {
    const startedAt = deps.now();
    const clock = deadline(call.deadline, deps.now);
    let sent = false;
    progress.deployment = deployment;
    progress.retries = progress.attempts.length;
    deps.health.began(orgId, deployment, progress.attempts.length === 0 ? group : null);
    const ended = (result: Parameters<typeof record>[5]) =>
      record(deps, call, progress, deployment, { startedAt, endedAt: deps.now() }, result);
    try {
      const { protocol, request } = await prepareCount(deps, call, deployment);
      sent = true;
      const response = await clock.within(
        PATIENCE,
        "a count",
        deps.upstream.send({ ...request, signal: clock.signal }),
      );
      if (response.status !== 200) {
        throw await clock.within(PATIENCE, "its refusal", refusalOf(response, protocol));
      }
      const rest = beginningOf(response.body);
      const body = await clock.within(PATIENCE, "the rest of its count", rest);
      if (!isJsonObject(parsed(body))) throw badAnswer("a count is not a JSON object");
      ended({ status: 200, sent });
      return body;
    } catch (cause) {
      last = asFault(cause, () => ended({ status: 0, sent, error: "unsupported" }));
      const { class: error, status, retryAfter, early } = last.fault;
      ended({ status, sent, error, retryAfter, early });
      if (error === "caller") break;
    }
  }
  throw finalError(
    call,
    progress,
    last ?? new AttemptFault({ class: "connection", status: 0, message: "" }),
  );
}
