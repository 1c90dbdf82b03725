import { isMap, isSeq, type Node } from "yaml";
import type { Deployment } from "../core/model.ts";
import type { SignalValue } from "../core/policy.ts";
import {
  classOfGateway,
  GATEWAY_REGION,
  liesWithin,
  RESIDENCY_CLASSES,
} from "../core/residency.ts";
import { FEATURE_FIELDS, readFeatures, readResidency } from "./action.ts";
import type { Predicate, Tree } from "./condition.ts";
import { saw, short, type Member, type Source } from "./document.ts";
import type { Known } from "./known.ts";
import { hint } from "./nearest.ts";
import type { Entry, Feature, Residency } from "./plan.ts";
import { asRead, type SignalFacts } from "./signals.ts";
import { readTest, type Constants } from "./when-map.ts";

/** What a constraint can demand of a target; a fact that is not known of one is never in its favour. */
export const TARGET_FACTS = {
  provider: { type: "string", about: "the provider's name in the catalog" },
  model: { type: "strings", about: "its model group, its model, and both as provider/model" },
  region: { type: "string", about: "where it runs", fold: "lower" },
  retention: {
    type: "number",
    about: "days that the provider keeps what it is sent",
    range: [0, 36_500],
  },
  training: { type: "bool", about: "the provider trains on what it is sent" },
  "price.input": { type: "number", about: "USD per million prompt tokens", range: [0, 1_000_000] },
  "price.output": { type: "number", about: "USD per million answer tokens", range: [0, 1_000_000] },
} as const satisfies Readonly<Record<string, SignalFacts>>;

const ENTRY_KEYS = [
  "provider",
  "model",
  "region",
  "residency",
  "retention",
  "training",
  "price",
  ...FEATURE_FIELDS,
] as const;

/** Reads `require` or `forbid`: a map over facts of targets, each entry on its own. */
export function readEntries(
  source: Source,
  node: Node | null,
  what: "require" | "forbid",
  constants: Constants,
  known: Known,
): { entries: Entry[]; features: Feature[] } {
  const members = source.known(node, what, ENTRY_KEYS);
  if (members === null) return { entries: [], features: [] };
  if (Object.keys(members).length === 0) {
    source.error(node, "wrong_type", `an empty '${what}' demands nothing`);
  }
  const entries: Entry[] = [];
  const put = (member: Member, test: Tree<Predicate> | null): void => {
    if (test !== null)
      entries.push({ test, text: `${member.name}: ${source.written(member.value)}` });
  };
  for (const name of ["provider", "model", "region", "training"] as const) {
    const member = members[name];
    if (member === undefined) continue;
    if (name === "provider") checkProviders(source, member.value, known);
    if (name === "region") checkRegion(source, member.value);
    if (name === "model") warnModels(source, member.value, known);
    put(member, readFact(source, member, name, constants));
  }
  const { residency, retention, price } = members;
  if (residency !== undefined) {
    const meant = readResidency(source, residency.value ?? residency.key, known);
    put(residency, meant === null ? null : residencyTest(meant, known.gateway));
  }
  if (retention !== undefined) put(retention, readRetention(source, retention, constants));
  if (price !== undefined) {
    const parts = source.known(price.value, "price (USD per million tokens)", ["input", "output"]);
    for (const part of ["input", "output"] as const) {
      const member = parts?.[part];
      if (member !== undefined) put(price, readFact(source, member, `price.${part}`, constants));
    }
  }
  const features = readFeatures(source, members, known);
  if (what === "forbid") {
    for (const { field } of features) {
      const place = members[field]?.key ?? node;
      source.error(
        place,
        "unsupported",
        `a feature can be required, not forbidden: leave ${field} out`,
      );
    }
  }
  return { entries, features };
}

function readFact(
  source: Source,
  member: Member,
  name: keyof typeof TARGET_FACTS,
  constants: Constants,
): Tree<Predicate> | null {
  return readTest(source, { name, facts: TARGET_FACTS[name] }, member, constants);
}

function readRetention(
  source: Source,
  member: Member,
  constants: Constants,
): Tree<Predicate> | null {
  const value = source.scalar(member.value);
  if (value === "none") return { is: "eq", of: [{ signal: "retention" }, { value: 0 }] };
  if (typeof value === "string") {
    source.error(member.value, "unknown_value", `retention is days, or none${saw(value)}`);
    return null;
  }
  return readFact(source, member, "retention", constants);
}

/** A class in the place of a region is never one. */
function checkRegion(source: Source, node: Node | null): void {
  const found = source.plain(node);
  const named = [found ?? []]
    .flat()
    .find((each) => RESIDENCY_CLASSES.some((name) => name === each));
  if (named === undefined) return;
  source.error(
    node,
    "unknown_value",
    `'${String(named)}' is a class of regions: say residency: ${String(named)}`,
  );
}

/** A misspelt model forbids nothing, and nobody would notice. */
function warnModels(source: Source, node: Node | null, { bears, groups }: Known): void {
  if (bears === null) return;
  for (const each of [source.plain(node) ?? []].flat()) {
    if (typeof each !== "string" || each.startsWith("constants.") || bears(each)) continue;
    source.warn(
      node,
      "names_nothing",
      `no deployment here has the model or model group '${short(each)}', so that the name stands for nothing${hint(each, groups)}`,
    );
  }
}

function checkProviders(source: Source, node: Node | null, known: Known): void {
  if (known.providers.length === 0) return;
  const visit = (each: Node | null): void => {
    const found = source.resolve(each);
    if (isSeq(found)) {
      for (const item of found.items) visit(item as Node);
    } else if (isMap(found)) {
      for (const { key, value } of found.items) {
        const operator = source.scalar(key as Node);
        if (operator === "matches" || operator === "contains" || operator === "starts_with")
          continue;
        visit(value as Node | null);
      }
    } else {
      const name = source.scalar(found);
      if (typeof name !== "string" || known.providers.includes(name)) return;
      if (name.startsWith("constants.")) return;
      source.error(
        found,
        "unknown_provider",
        `there is no provider '${short(name)}' in the catalog${hint(name, known.providers)}`,
      );
    }
  };
  visit(node);
}

/** A residency as a test of a target; `gateway-region` needs the region that the organization lives in. */
export function residencyTest(residency: Residency, gateway: string | null): Tree<Predicate> {
  if (Array.isArray(residency))
    return {
      is: "in",
      of: [{ signal: "region" }, { value: asRead(TARGET_FACTS.region, residency) }],
    };
  const name =
    residency === GATEWAY_REGION ? (classOfGateway(gateway ?? "") ?? "fedramp") : residency;
  return { is: "true", of: { signal: `within.${name}` } };
}

/** Reads a fact of a deployment: undefined where it is not known. */
export function targetFact(deployment: Deployment, name: string): SignalValue | undefined {
  switch (name) {
    case "provider":
      return deployment.provider;
    case "model":
      return [deployment.group, deployment.model, `${deployment.provider}/${deployment.model}`];
    case "region":
      return deployment.region?.toLowerCase();
    case "retention":
      return deployment.terms?.retentionDays;
    case "training":
      return deployment.terms?.training;
    case "price.input":
      return perMillion(deployment.facts.prices?.input);
    case "price.output":
      return perMillion(deployment.facts.prices?.output);
    default:
      return deployment.region === undefined
        ? undefined
        : liesWithin(name.slice("within.".length), deployment.region);
  }
}

/** USD per million tokens of nano-dollars per thousand. */
function perMillion(price: number | undefined): number | undefined {
  return price === undefined ? undefined : price / 1e6;
}
