import type { Authorized } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import { REGIONS, type RegionLetter } from "../core/ids.ts";
import type { Deployment } from "../core/model.ts";
import { usdText } from "../core/money.ts";
import type { Deps } from "../core/ports.ts";
import { classOfCustomer, liesWithin } from "../core/residency.ts";
import type { Chains, Explanation, RoutingLayer, RoutingSettings } from "../core/routing.ts";
import {
  allows,
  resolve,
  shortName,
  type Resolution,
  type ResolveContext,
} from "../providers/resolve.ts";
import { chainOf } from "../routing/chain.ts";
import type { Hard, Link } from "../routing/plan.ts";
import { meantBy, settingsFor } from "../routing/settings.ts";
import { worstCase } from "../routing/worst-case.ts";
import { allowlists } from "./authorize.ts";
import { rulesOf } from "./customer.ts";

/** Groups that stand for a name which is no group itself, in order, and what else binds them. */
export interface Instead {
  groups: readonly string[];
  hard: readonly Hard[];
}

/**
 * The groups that may serve a request, resolved, with what binds the choice inside each. Throws `model_not_found` for
 * the group that was asked for; a fallback that does not resolve, or that nobody may be sent to, is skipped by name.
 */
export function linksOf(
  deps: Deps,
  call: Authorized,
  settings: RoutingSettings,
  instead?: Instead,
): { links: Link[]; skipped: Explanation["skipped"] } {
  const { shared } = call.identity;
  const context: ResolveContext = {
    shared,
    hasPlatformKey: (provider) => deps.platformKey(provider) !== null,
  };
  const found: Resolution =
    instead === undefined ? resolve(call.model, context) : { found: true, candidates: [] };
  if (!found.found) throw nowhere(call, found.reason);
  const skipped: Explanation["skipped"] = [];
  const links: Link[] = [];
  const most = settings.maxFallbacks + 1;
  for (const group of instead?.groups.slice(0, most) ?? []) {
    const target = resolve(group, context);
    if (!target.found) continue;
    const own = inGroup(call, group);
    links.push({
      group,
      when: "any",
      why: "requested",
      deployments: target.candidates,
      settings: own,
      ...sharedIn(call, group),
      hard: [...hardOf(call, own, group), ...(instead?.hard ?? [])],
    });
  }
  for (const link of chainOf(call.model, found.candidates, settings)) {
    const { why, when } = link;
    if (why === "requested" && instead !== undefined) continue;
    // A fallback may be named by an alias, as a request may.
    const group = why === "requested" ? link.group : meantBy(shared.routing, link.group);
    const target = why === "requested" ? found : resolve(group, context);
    if (why !== "requested") {
      const refusal = mayFallTo(call, link.group);
      if (refusal !== null) {
        skipped.push({ group: link.group, reason: refusal });
        continue;
      }
    }
    if (!target.found) {
      skipped.push({ group: link.group, reason: "does not exist here" });
      continue;
    }
    if (links.some((each) => each.group === group && each.when === when)) continue;
    const own = why === "requested" ? settings : inGroup(call, group);
    links.push({
      ...link,
      group,
      deployments: target.candidates,
      settings: own,
      ...sharedIn(call, group),
      hard: hardOf(call, own, group),
    });
  }
  return { links, skipped };
}

/** Nothing serves a name: the caller's own, or one that a rule leads to and that was removed after it was published. */
function nowhere({ verdict, model }: Authorized, reason: string) {
  if (verdict?.route === undefined)
    return new GatewayError("model_not_found", reason, { param: "model" });
  const { rule, version, hash } = verdict;
  return new GatewayError(
    "policy_no_candidate",
    `Rule '${rule ?? "defaults"}' (policy version ${version}) routes to '${shortName(model)}', which no longer exists here: an administrator can add a deployment of it, or change the policy.`,
    { members: { policy: { version, hash, rule } } },
  );
}

/** The settings with which a fallback group is chosen in; retries and deadlines stay those of the request. */
function inGroup(call: Authorized, group: string): RoutingSettings {
  const { shared, key } = call.identity;
  return settingsFor({ org: shared.routing, group, key: key?.routing, verdict: call.verdict });
}

/** The same without what the key says: where requests may go and for how much, a key can only narrow. */
function withoutKey(call: Authorized, group: string): RoutingSettings {
  return settingsFor({ org: call.identity.shared.routing, group, verdict: call.verdict });
}

/** What all callers share: no key may make another's breaker looser or stricter. */
function sharedIn(call: Authorized, group: string): Pick<Link, "breaker" | "usual"> {
  const { routing } = call.identity.shared;
  const { allowedFails, cooldown, cooldowns, timeouts } = settingsFor({ org: routing, group });
  return { breaker: { allowedFails, cooldown, enabled: cooldowns }, usual: timeouts };
}

/** The hard constraints on a group that is chosen in its own right. */
export function hardIn(call: Authorized, group: string): Hard[] {
  return hardOf(call, inGroup(call, group), group);
}

/** Why a fallback is out of reach for this caller; null where an administrator wrote it or the allowlists cover it. */
function mayFallTo(call: Authorized, group: string): string | null {
  const lists = allowlists(call);
  const refused = lists.find(({ list }) => !allows(list, group));
  if (refused === undefined) return null;
  if (call.extensions.fallbacks.includes(group)) {
    throw new GatewayError(
      refused.kind,
      `The fallback '${shortName(group)}' is not among the models that ${refused.whose} may call: GET /v1/models lists them.`,
      { param: "fallbacks" },
    );
  }
  const { routing } = call.identity.shared;
  const ofAdmins: (RoutingLayer | undefined)[] = [
    routing?.all,
    ...Object.values(routing?.groups ?? {}),
  ];
  if (ofAdmins.some((layer) => layer !== undefined && names(layer).includes(group))) return null;
  if (call.verdict?.fallbacks?.includes(group)) return null;
  return `is not among the models that ${refused.whose} may call`;
}

function names(layer: RoutingLayer): string[] {
  const all = (chains: Chains | undefined) => Object.values(chains ?? {}).flat();
  return [
    ...all(layer.fallbacks),
    ...(layer.defaultFallbacks ?? []),
    ...all(layer.contextWindowFallbacks),
    ...all(layer.contentPolicyFallbacks),
  ];
}

/** The hard constraints on one group's deployments; all only remove. */
function hardOf(call: Authorized, settings: RoutingSettings, group: string): Hard[] {
  const below = withoutKey(call, group);
  const hard: Hard[] = (call.verdict?.narrowings ?? []).map((says) => ({ by: "policy", says }));
  const { orgId } = call.identity.principal;
  const home = REGIONS[orgId[0] as RegionLetter];
  const { residency, tagMatchAny, strategy } = settings;
  const tagFilter = settings.tagFilter || below.tagFilter;
  const ceilings = [settings.maxCost, below.maxCost].filter((each) => each !== null);
  const maxCost = ceilings.length === 0 ? null : Math.min(...ceilings);
  const ofOrg = call.identity.shared.org.metadata["residency"];
  const ofCustomer = rulesOf(call)?.region;
  for (const each of [
    residency,
    residency === below.residency ? null : below.residency,
    typeof ofOrg === "string" ? ofOrg : null,
    ofCustomer === undefined ? null : classOfCustomer(ofCustomer),
  ]) {
    if (each === null) continue;
    hard.push({
      by: "residency",
      says: ({ region }) =>
        liesWithin(each, region, home)
          ? null
          : `lies in ${region ?? "an unknown region"}, outside of ${typeof each === "string" ? each : each.join(", ")}`,
    });
  }
  const { tags } = call.extensions;
  if (tagFilter || strategy === "tag_based_routing") {
    hard.push({ by: "tags", says: (deployment) => tagLack(deployment, tags, tagMatchAny) });
  }
  if (maxCost !== null) {
    hard.push({
      by: "price",
      says: (deployment) => {
        if (deployment.facts.prices === undefined)
          return "has no known price, and a ceiling is set";
        const { cost } = worstCase(call, [deployment]);
        return cost <= maxCost
          ? null
          : `may cost up to ${usdText(cost)} USD, above the ceiling of ${usdText(maxCost)} USD (max_tokens lowers it)`;
      },
    });
  }
  return hard;
}

/** Requests without tags go to deployments that are tagged `default` or not at all. */
function tagLack({ tags: own }: Deployment, asked: readonly string[], any: boolean): string | null {
  if (asked.length === 0) {
    return own.length === 0 || own.includes("default") ? null : "serves tagged requests only";
  }
  const missing = asked.filter((tag) => !own.includes(tag));
  if (any ? missing.length < asked.length : missing.length === 0) return null;
  return `lacks the tag '${shortName(missing[0] ?? "")}'`;
}
