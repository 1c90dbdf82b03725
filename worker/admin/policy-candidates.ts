import type { Deployment } from "../core/model.ts";
import type { Verdict } from "../core/policy.ts";
import type { OrgShared } from "../core/records.ts";
import { resolve } from "../providers/resolve.ts";
import { chainOf } from "../routing/chain.ts";
import { settingsFor } from "../routing/settings.ts";
import { dialNamed } from "../routing/smart/dial.ts";
import type { AdminContext } from "./context.ts";

/**
 * Why what a verdict demands of targets leaves none of those that may serve a name: its deployments, and those of its
 * fallbacks, as they are now; null where it leaves some. A router's name stands for everything that the organization has.
 */
export function candidatesOf(
  ctx: AdminContext,
  shared: OrgShared,
): (verdict: Verdict, name: string) => string[] | null {
  const context = {
    shared,
    hasPlatformKey: (provider: string) => ctx.deps.platformKey(provider) !== null,
  };
  const known = new Map<string, readonly Deployment[]>();
  const served = (name: string): readonly Deployment[] => {
    const found = known.get(name) ?? find(name);
    known.set(name, found);
    return found;
  };
  const find = (name: string): readonly Deployment[] => {
    const resolution = resolve(name, context);
    if (resolution.found) return resolution.candidates;
    return dialNamed(name) === null ? [] : shared.deployments;
  };
  return (verdict, named) => {
    if (verdict.narrowings.length === 0) return null;
    const aliases = shared.routing?.aliases ?? {};
    const name = Object.hasOwn(aliases, named) ? (aliases[named] ?? named) : named;
    const own = served(name);
    // What serves nowhere is refused for another reason.
    if (own.length === 0) return null;
    const settings = settingsFor({ org: shared.routing, group: name, verdict });
    const groups = chainOf(name, own, settings).map(({ group }) => group);
    const reasons = new Set<string>();
    for (const target of groups.flatMap((group) => (group === name ? own : served(group)))) {
      const reason = verdict.narrowings
        .map((narrow) => narrow(target))
        .find((each) => each !== null);
      if (reason == null) return null;
      reasons.add(`${target.provider}: ${reason}`);
    }
    return [...reasons];
  };
}
