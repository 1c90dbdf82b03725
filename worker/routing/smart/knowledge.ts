import type { Capability, Deployment, ModelFacts, ModelTier } from "../../core/model.ts";
import type { Prices } from "../../core/money.ts";
import { EVIDENCE, familyRecords, type FamilyRecord } from "./evidence.ts";
import { FAMILIES, type Family } from "./families.ts";

const RECORDS = familyRecords(EVIDENCE.families);
const BY_LENGTH = FAMILIES.toSorted((a, b) => b.prefix.length - a.prefix.length);

/** What the router reckons a model with. */
export interface Belief {
  vendor: string | null;
  tier: ModelTier;
  /** 0–1 within its tier. */
  strength: number;
  thinks: boolean;
  prices: Prices | null;
  /** What models of its family were seen to reach; absent where nothing is known, or the organization gave the tier. */
  record?: FamilyRecord;
  /** Where tier and prices come from. */
  from: "org" | "known" | "price" | "nothing";
}

/** The vendors whose models are known by name. */
export const VENDORS: readonly string[] = [...new Set(FAMILIES.map((each) => each.vendor))];

/** Models of which a vendor's name tells nothing worth routing chat to. */
const NOT_CHAT =
  /embed|whisper|tts|transcribe|dall-e|image|moderation|rerank|realtime|audio|turbo-instruct|davinci|babbage|curie|\bada\b|computer-use|deep-research|search-preview|safeguard|-live|ocr|voxtral|guard/;

/** False for embeddings, speech, images and the like, which answer no chat. */
export function answersChat(model: string): boolean {
  return !NOT_CHAT.test(model.toLowerCase());
}

/** Makers as Bedrock names them before a model, and where its cross-region profiles say they serve from. */
const MAKER =
  /^(?:(?:us-gov|[a-z]{2,6})\.)?(anthropic|meta|mistral|amazon|deepseek|openai|qwen|cohere)\./;

/**
 * The model's own name as its maker writes it: without the path of who serves it, lower case, and numbers of Llama and Phi
 * with their dots (`us.meta.llama3-1-8b…`, `llama-v3p1-8b…` and `llama3.1:8b` are all `llama-3.1-8b…`).
 */
function bareName(model: string): string {
  const last = model.toLowerCase().split("/").at(-1) ?? "";
  return last
    .replace(MAKER, (_, maker: string) => (maker === "deepseek" ? "deepseek-" : ""))
    .replace(/^(?:meta-(?=llama)|open-(?=mi)|chat(?=gpt-4o))/, "")
    .replace(/^llama-?v?(\d)(?:[.p_-](\d)(?!\d*b))?/, (_, major: string, minor?: string) =>
      minor === undefined ? `llama-${major}` : `llama-${major}.${minor}`,
    )
    .replace(/:(?=[\d.]+b\b)/, "-")
    .replace(/^phi(?=\d)/, "phi-");
}

function familyOf({ provider, model }: Pick<Deployment, "provider" | "model">): Family | undefined {
  const name = bareName(model);
  return BY_LENGTH.find(
    ({ prefix, servedBy }) =>
      name.startsWith(prefix) && (servedBy === undefined || servedBy === provider),
  );
}

function recordOf({ model }: Pick<Deployment, "model">): FamilyRecord | undefined {
  const name = bareName(model);
  return RECORDS.find(([prefix]) => name.startsWith(prefix))?.[1];
}

/**
 * Tier and price of a deployment: what the organization says of it, else what is known of its family, else what its price
 * and stated capabilities suggest, until evidence comes.
 */
export function beliefOf(deployment: Deployment): Belief {
  const { facts } = deployment;
  const family = familyOf(deployment);
  const prices = facts.prices ?? (family === undefined ? null : pricesOf(family.usd));
  const thinks = family?.thinks ?? (facts.capabilities.reasoning === true && family === undefined);
  if (facts.tier !== undefined) {
    return {
      vendor: family?.vendor ?? null,
      tier: facts.tier,
      strength: 0.5,
      thinks,
      prices,
      from: "org",
    };
  }
  if (family !== undefined) {
    const { vendor, tier, strength = 0 } = family;
    const record = recordOf(deployment);
    return { vendor, tier, strength, thinks, prices, ...(record && { record }), from: "known" };
  }
  return {
    vendor: null,
    tier: prices === null ? "STANDARD" : tierByPrice(prices, facts),
    strength: 0,
    thinks,
    prices,
    from: prices === null ? "nothing" : "price",
  };
}

/** US dollars per million output tokens below which a model of unknown name is taken for one of this tier. */
function tierByPrice({ output }: Prices, { capabilities }: ModelFacts): ModelTier {
  const usd = output / 1e6;
  if (usd < 1) return "LIGHT";
  if (usd < 6) return "STANDARD";
  return capabilities.reasoning === true && usd >= 15 ? "REASONING" : "HEAVY";
}

function pricesOf([input, output, cached]: Family["usd"]): Prices {
  return {
    input: Math.round(input * 1e6),
    output: Math.round(output * 1e6),
    ...(cached !== undefined && { cacheRead: Math.round(cached * 1e6) }),
  };
}

/** What a known family can and can't do, where the deployment itself does not say. */
export function knownAbility(deployment: Deployment, need: Capability): boolean | undefined {
  const said = deployment.facts.capabilities[need];
  if (said !== undefined) return said;
  const family = familyOf(deployment);
  if (family?.cannot?.includes(need) === true) return false;
  return family?.can?.includes(need) === true ? true : undefined;
}

/** Tokens of prompt and answer together, as the deployment or its family says; undefined where nobody does. */
export function knownWindow(deployment: Deployment): number | undefined {
  return deployment.facts.contextWindow ?? familyOf(deployment)?.window;
}
