import type { Authorized } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { Deployment } from "../core/model.ts";
import type { Candidate, Explanation } from "../core/routing.ts";
import { MINUTE_MS } from "../core/time.ts";
import { allows, shortName } from "../providers/resolve.ts";
import { lackOf } from "../routing/capability.ts";
import { beginnings, kindOfEmpty } from "../routing/empty.ts";
import type { MadePlan, PlanFacts } from "../routing/plan.ts";
import { allowlists } from "./authorize.ts";

/** Seconds after which to come again where nothing tells more, and the most where what failed may be back any time. */
const MINUTE_S = 60;

/**
 * The refusal of a plan that has no beginning: of the kind that the candidate that came farthest was
 * dropped for, naming the reason for each.
 */
export function emptied(
  call: Authorized,
  { candidates: all, resting }: Pick<MadePlan, "candidates" | "resting">,
  facts: PlanFacts,
  explanation: Explanation,
): GatewayError {
  const candidates = beginnings(all, ({ by, state: { when } }) => ({ by, when }));
  const kind = kindOfEmpty(candidates.map(({ by }) => by));
  const model = named(call);
  const why = candidates.filter((each) => each.by !== null);
  const told = [...new Set(why.map((each) => `${each.provider}: ${each.reason}`))].slice(0, 5);
  const list = `${told.join("; ")}${why.length > 5 ? "; …" : ""}`;
  const members = { candidates: why.slice(0, 20).map(shown) as unknown as Json };
  switch (kind) {
    case "policy_no_candidate":
      return new GatewayError(kind, `No deployment of ${model} may serve this request (${list}).`, {
        members,
        explanation,
      });
    case "capability_not_supported": {
      const has = groupsThat(call, (each) => lackOf(each, facts.needs) === null);
      const hint = has.length === 0 ? "" : ` ${has.join(", ")} can.`;
      return new GatewayError(
        kind,
        `No deployment of ${model} can serve this request (${list}).${hint}`,
        { param: "model", members, explanation },
      );
    }
    case "context_length_exceeded":
      return new GatewayError(kind, `The request is too long for ${model} (${list}).`, {
        param: "messages",
        members,
        explanation,
      });
    default: {
      // Only a provider's own word is final; what failed is tried again sooner where nothing else is left.
      const waits = resting.map(({ until, paused }) => {
        const seconds = Math.max(1, Math.ceil((until - facts.now) / 1000));
        return paused ? seconds : Math.min(seconds, MINUTE_S);
      });
      // A deployment's own limits are of clock minutes.
      if (candidates.some(({ by }) => by === "limit")) {
        waits.push(Math.ceil((MINUTE_MS - (facts.now % MINUTE_MS)) / 1000));
      }
      const retryAfter = waits.length === 0 ? MINUTE_S : Math.min(...waits);
      return new GatewayError(
        "no_healthy_deployment",
        `No deployment of ${model} is in rotation now (${list}).`,
        { retryAfter, members, explanation },
      );
    }
  }
}

/** The model that was asked for; where a rule of the policy leads elsewhere, what it leads to. */
function named({ chat, verdict }: Authorized): string {
  const asked = `'${shortName(chat.model)}'`;
  if (verdict?.route === undefined) return asked;
  const by =
    verdict.rule === null ? "the policy's defaults route" : `rule '${verdict.rule}' routes`;
  return `'${shortName(verdict.route)}', to which ${by} ${asked},`;
}

function shown({ deployment, provider, by, reason }: Candidate) {
  return { deployment, provider, dropped_by: by, reason };
}

/** Up to three groups that this caller may call and of which a deployment can serve. */
export function groupsThat(call: Authorized, can: (deployment: Deployment) => boolean): string[] {
  const lists = allowlists(call);
  const able = call.identity.shared.deployments.filter(can);
  const groups = [...new Set(able.map((each) => each.group))];
  return groups
    .filter((group) => lists.every(({ list }) => allows(list, group)))
    .slice(0, 3)
    .map((group) => `'${shortName(group)}'`);
}
