import type { Deployment } from "../core/model.ts";
import type { Verdict } from "../core/policy.ts";
import type { OrgShared } from "../core/records.ts";
import { resolve } from "../providers/resolve.ts";
import { chainOf } from "../routing/chain.ts";
import { settingsFor } from "../routing/settings.ts";
import { dialNamed } from "../routing/smart/dial.ts";
import type { AdminContext } from "./context.ts";

/**
 * Whether what a verdict demands of targets leaves none of those that may serve a name: its deployments, and those of its
 * fallbacks, as they are now. A router's name stands for everything that the organization has.
 */
export function candidatesOf(
  ctx: AdminContext,
  shared: OrgShared,
): (verdict: Verdict, name: string) => boolean {
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
    if (verdict.narrowings.length === 0) return false;
    const aliases = shared.routing?.aliases ?? {};
    const name = Object.hasOwn(aliases, named) ? (aliases[named] ?? named) : named;
    const own = served(name);
    // What serves nowhere is refused for another reason.
    if (own.length === 0) return false;
    const settings = settingsFor({ org: shared.routing, group: name, verdict });
    const groups = chainOf(name, own, settings).map(({ group }) => group);
    return groups
      .flatMap((group) => (group === name ? own : served(group)))
      .every((target) => verdict.narrowings.some((narrow) => narrow(target) !== null));
  };
}
