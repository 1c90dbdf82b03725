import type { Deployment } from "../core/model.ts";
import type { Chains, RoutingSettings, Step } from "../core/routing.ts";

/** One group that a request may be served from. */
export type ChainLink = Pick<Step, "group" | "when" | "why">;

/**
 * The groups of a request in the order in which they may serve it: what was asked for, its fallbacks (or the default
 * ones), and those for single classes of faults. Each chain has at most `maxFallbacks` groups, each group one place.
 */
export function chainOf(
  group: string,
  deployments: readonly Deployment[],
  settings: RoutingSettings,
): ChainLink[] {
  const names = [group, ...new Set(deployments.map((each) => `${each.provider}/${each.model}`))];
  const links: ChainLink[] = [{ group, when: "any", why: "requested" }];
  const add = (list: readonly string[], link: Omit<ChainLink, "group">) => {
    for (const each of list.slice(0, settings.maxFallbacks)) {
      if (
        each !== group &&
        !links.some((known) => known.group === each && known.when === link.when)
      ) {
        links.push({ group: each, ...link });
      }
    }
  };
  const own = listFor(settings.fallbacks, names);
  if (own !== null) add(own, { when: "any", why: "fallback" });
  else add(settings.defaultFallbacks, { when: "any", why: "default_fallback" });
  add(listFor(settings.contextWindowFallbacks, names) ?? [], {
    when: "context_window",
    why: "context_window_fallback",
  });
  add(listFor(settings.contentPolicyFallbacks, names) ?? [], {
    when: "content_filter",
    why: "content_policy_fallback",
  });
  return links;
}

/** The chain of the first of these names that has one; `*` stands for every model. */
function listFor(chains: Chains, names: readonly string[]): readonly string[] | null {
  for (const name of [...names, "*"]) {
    if (Object.hasOwn(chains, name)) return chains[name] ?? null;
  }
  return null;
}
