import type { AutoDecision, AutoRouter } from "../core/auto-router.ts";
import type { Authorized } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import type { Deps } from "../core/ports.ts";
import { resolve, shortName } from "../providers/resolve.ts";
import { routeBy } from "../routing/named/route.ts";
import { dialNamed } from "../routing/smart/dial.ts";

/** Where a named router sends a request: the model that it takes, then its default where that may take over. */
export interface NamedRoute {
  models: readonly [string, ...string[]];
  decision: AutoDecision;
}

/** The router of this name; a caller may write `auto_router/<name>` as well. */
function routerNamed(call: Authorized): AutoRouter | undefined {
  const { routers } = call.identity.shared;
  return (
    routers?.find(({ group }) => group === call.model) ??
    routers?.find(({ name }) => `auto_router/${name}` === call.model)
  );
}

/** What the router of the request's model makes of it; null where its model is no router. Calls nothing. */
export function namedRoute(deps: Deps, call: Authorized): NamedRoute | null {
  const router = routerNamed(call);
  if (router === undefined) return null;
  const { shared } = call.identity;
  const exists = (model: string) =>
    dialNamed(model) !== null ||
    resolve(model, { shared, hasPlatformKey: (provider) => deps.platformKey(provider) !== null })
      .found;
  const decision = routeBy(router, call.chat, exists);
  const { defaultModel } = router;
  const rest = exists(defaultModel) ? [defaultModel] : [];
  const [first = null, ...others] = [
    ...new Set(decision.route === null ? rest : [decision.route, ...rest]),
  ];
  if (first === null) {
    throw new GatewayError(
      "model_not_found",
      `The router '${shortName(router.group)}' leads nowhere: its default model '${shortName(defaultModel)}' does not exist any more. POST /model/update names another.`,
      { param: "model" },
    );
  }
  return { models: [first, ...others], decision };
}
