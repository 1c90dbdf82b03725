import type { Authorized } from "../core/call.ts";
import type { Deployment } from "../core/model.ts";
import { usdText } from "../core/money.ts";
import type { Deps } from "../core/ports.ts";
import type { Step } from "../core/routing.ts";
import { allows } from "../providers/resolve.ts";
import { lackOf, needsOf } from "../routing/capability.ts";
import type { Hard } from "../routing/plan.ts";
import { dialNamed } from "../routing/smart/dial.ts";
import { estimateTokens } from "../routing/tokens.ts";
import { usualCost } from "../routing/usual-cost.ts";
import { allowlists } from "./authorize.ts";
import { hardIn } from "./links.ts";
import { candidatesOf, lacksByName } from "./smart.ts";

const CHEAP = "smart/cheap";

/** What serves in the place of a plan that a used-up budget throttles. */
export interface Swap {
  /** The cheapest first; never empty. */
  groups: readonly [string, ...string[]];
  /** What else binds whatever serves, fallbacks too. */
  hard: readonly Hard[];
}

/**
 * The groups that take over from a plan whose budget is used up: `smart/cheap` if the organization has a
 * group of that name; else those that cost less for this request than the group that would have served it, the cheapest
 * first; what a router chose may be the cheapest already. All can do what the request needs, and may: constraints and
 * allowlists beat the swap. Null where nothing is cheaper.
 */
export function cheaperThan(deps: Deps, call: Authorized, steps: readonly Step[]): Swap | null {
  const served = steps[0]?.group;
  const needs = needsOf(call.chat);
  const lacks = lacksByName(needs);
  const permitted = (group: string, deployments: readonly Deployment[]) =>
    deployments.filter(
      (each) =>
        lackOf(each, needs) === null &&
        [...hardIn(call, group), lacks].every(({ says }) => says(each) === null),
    );
  const lists = allowlists(call);
  const isAllowed = (group: string) => lists.every(({ list }) => allows(list, group));
  const defined = call.identity.shared.deployments.filter(({ group }) => group === CHEAP);
  if (isAllowed(CHEAP) && permitted(CHEAP, defined).length > 0) {
    return { groups: [CHEAP], hard: [lacks] };
  }
  const costOn = usualCost(call.chat, estimateTokens(call.chat));
  const dearest = Math.max(
    ...steps
      .filter(({ group }) => group === served)
      .map(({ deployment }) => costOn(deployment) ?? Infinity),
  );
  const byRouter = isRouters(call);
  const fits = (cost: number) => (byRouter ? cost <= dearest : cost < dearest);
  const costs = candidatesOf(deps, call).flatMap(([group, deployments]) => {
    if (!byRouter && !isAllowed(group)) return [];
    const cost = Math.min(...permitted(group, deployments).map((each) => costOn(each) ?? Infinity));
    return fits(cost) ? [{ group, cost }] : [];
  });
  const [first, ...others] = costs
    .toSorted((a, b) => a.cost - b.cost || (a.group < b.group ? -1 : 1))
    .map(({ group }) => group);
  if (first === undefined) return null;
  const says: Hard["says"] = (deployment) => {
    const cost = costOn(deployment);
    if (cost === null) return "has no known price, and a budget throttles";
    if (fits(cost)) return null;
    return `costs about ${usdText(cost)} USD: no less than what a budget throttles`;
  };
  return { groups: [first, ...others], hard: [lacks, { by: "price", says }] };
}

/** True where the name asked for leaves the choice of the group to a router: allowlists bind that choice already. */
function isRouters(call: Authorized): boolean {
  const name = call.verdict?.route ?? call.model;
  const routers = call.identity.shared.routers ?? [];
  return (
    dialNamed(name) !== null ||
    routers.some((each) => each.group === name || `auto_router/${each.name}` === name)
  );
}
