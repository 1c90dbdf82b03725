import type { Authorized } from "../core/call.ts";
import type { Deployment } from "../core/model.ts";
import { allows } from "../providers/resolve.ts";
import { lackOf, needsOf } from "../routing/capability.ts";
import { allowlists } from "./authorize.ts";

const CHEAP = "smart/cheap";

/**
 * The model group that serves a request whose budget is used up: `smart/cheap` if the organization has one, else that of
 * the lowest-priced deployment that can do what the request needs and is allowed to it. Null where none is cheaper.
 */
export function cheaperGroup(call: Authorized): string | null {
  const { deployments } = call.identity.shared;
  const lists = allowlists(call);
  const needs = needsOf(call.chat);
  const narrowings = call.verdict?.narrowings ?? [];
  const permitted = deployments.filter(
    (each) =>
      lists.every(({ list }) => allows(list, each.group)) &&
      lackOf(each, needs) === null &&
      narrowings.every((narrowing) => narrowing(each) === null),
  );
  if (call.model === CHEAP) return null;
  if (permitted.some(({ group }) => group === CHEAP)) return CHEAP;
  const own = deployments.filter(({ group }) => group === call.model);
  const [cheapest] = permitted
    .filter((each) => each.group !== call.model && Number.isFinite(priceOf(each)))
    .toSorted((a, b) => priceOf(a) - priceOf(b) || (a.id < b.id ? -1 : 1));
  if (cheapest === undefined) return null;
  const least = Math.min(...own.map(priceOf));
  return own.length > 0 && priceOf(cheapest) >= least ? null : cheapest.group;
}

/** Nano-dollars per 1,000 tokens of prompt and answer together; what has no price is never cheap. */
function priceOf({ facts: { prices } }: Deployment): number {
  return prices === undefined ? Infinity : prices.input + prices.output;
}
