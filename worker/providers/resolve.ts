import type { Deployment } from "../core/model.ts";
import type { OrgShared } from "../core/records.ts";
import { findProvider, ownAddress, providers, type ProviderRow } from "./catalog.ts";
import { knownModels, modelFacts, providersOf } from "./models.ts";

/** What resolution has to know besides the org: which providers the platform itself holds a key for. */
export interface ResolveContext {
  shared: OrgShared;
  hasPlatformKey: (provider: string) => boolean;
}

export type Resolution =
  | { found: true; candidates: Deployment[] }
  /** `reason` is public text that says what would be right. */
  | { found: false; reason: string };

/**
 * The deployments that a model string stands for, in this order: a model group of that exact name, then
 * `provider/model`, then a bare name through the catalog. Aliases were applied before.
 */
export function resolve(model: string, context: ResolveContext): Resolution {
  const group = context.shared.deployments.filter((each) => each.group === model);
  if (group.length > 0) return { found: true, candidates: group };

  const slash = model.indexOf("/");
  if (slash > 0) {
    const row = findProvider(model.slice(0, slash));
    const name = model.slice(slash + 1);
    if (row !== undefined && name !== "") return fromCatalog(row, name, model, context);
  }

  const owners = providersOf(model).flatMap((slug) => findProvider(slug) ?? []);
  const usable = owners.filter((row) => credentialOf(row, context) !== null);
  const owner = usable[0] ?? owners[0];
  if (owner !== undefined) return fromCatalog(owner, model, model, context);
  return {
    found: false,
    reason: `The model '${shortName(model)}' does not exist here. GET /v1/models lists what this key may call; POST /model/new adds a model.`,
  };
}

/** A model name as messages quote it: whatever a caller calls a model, they stay readable. */
export function shortName(model: string): string {
  return model.length > 128 ? `${model.slice(0, 128).toWellFormed()}…` : model;
}

/** Every model name that resolves for this org: its groups, and known models of providers with a credential. */
export function resolvableModels(context: ResolveContext): { id: string; provider: string }[] {
  const groups = new Map<string, string>();
  for (const each of context.shared.deployments) {
    if (!groups.has(each.group)) groups.set(each.group, each.provider);
  }
  const known = providers()
    .filter((row) => ownAddress(row) !== null && credentialOf(row, context) !== null)
    .flatMap((row) =>
      knownModels(row.slug).map((model) => ({ id: `${row.slug}/${model}`, provider: row.slug })),
    )
    .filter((each) => !groups.has(each.id));
  return [...[...groups].map(([id, provider]) => ({ id, provider })), ...known];
}

/** True when an allowlist entry covers a model name: the name itself, `*`, or `prefix/*`. An empty list allows all. */
export function allows(list: readonly string[], model: string): boolean {
  return (
    list.length === 0 ||
    list.some(
      (entry) =>
        entry === model ||
        entry === "*" ||
        (entry.endsWith("*") && model.startsWith(entry.slice(0, -1))),
    )
  );
}

function fromCatalog(
  row: ProviderRow,
  name: string,
  group: string,
  context: ResolveContext,
): Resolution {
  if (row.closed && !knownModels(row.slug).includes(name)) {
    const names = knownModels(row.slug).map((each) => `${row.slug}/${each}`);
    return {
      found: false,
      reason: `The model '${shortName(group)}' does not exist: there are ${names.join(", ")}.`,
    };
  }
  const baseUrl = ownAddress(row);
  if (baseUrl === null) {
    const places = placesOf(row, context);
    if (places.length > 0) {
      const facts = modelFacts(row.slug, name);
      const candidates = places.map((place) => ({
        ...place,
        id: `${row.slug}/${name}@${new URL(place.baseUrl).host}`,
        group,
        model: name,
        weight: 1,
        order: 0,
        tags: [],
        facts,
      }));
      return { found: true, candidates };
    }
    return {
      found: false,
      reason: `'${row.slug}' has no address of its own: add a deployment with POST /model/new and its api_base.`,
    };
  }
  const credential = credentialOf(row, context);
  if (credential === null) {
    return {
      found: false,
      reason: `No credential for provider '${row.slug}' is stored here: add one with POST /model/new.`,
    };
  }
  return {
    found: true,
    candidates: [
      {
        id: `${row.slug}/${name}`,
        group,
        provider: row.slug,
        model: name,
        protocol: row.protocol,
        baseUrl,
        ...(credential.id !== undefined && { credentialId: credential.id }),
        weight: 1,
        order: 0,
        tags: [],
        facts: modelFacts(row.slug, name),
      },
    ],
  };
}

/**
 * Where an organization calls a provider that has no address of its own: the places of the deployments that it added,
 * each once, so that `azure/<deployment>` and the like reach what lies beside them.
 */
function placesOf(row: ProviderRow, { shared }: ResolveContext): Deployment[] {
  const found = new Map<string, Deployment>();
  for (const each of shared.deployments) {
    if (each.provider !== row.slug) continue;
    const key = `${each.baseUrl} ${each.credentialId ?? ""}`;
    if (!found.has(key)) found.set(key, each);
  }
  return [...found.values()];
}

/** The org's own credential for the catalog's host, else the platform's (no id), else null. */
function credentialOf(row: ProviderRow, context: ResolveContext): { id?: string } | null {
  if (row.auth === "none") return {};
  const baseUrl = ownAddress(row);
  if (baseUrl === null) return null;
  const { host } = new URL(baseUrl);
  const own = context.shared.credentials.find(
    (each) => each.provider === row.slug && each.host === host,
  );
  if (own !== undefined) return { id: own.id };
  return context.hasPlatformKey(row.slug) ? {} : null;
}
